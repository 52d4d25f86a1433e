"""The report tells how far witnesses vouch for each log, and since when nobody does; whoever makes
it again needs no other cosigned checkpoints than those in it.
"""

import csv
import io
import json
from dataclasses import replace
from functools import partial

import pytest
from typer.testing import CliRunner

from agent.audit.witnesses.witness_folder import new_witness
from agent.bundles.layout import CHARTER_PATH, TARGETS
from agent.city.report.make import Asked, make
from agent.city.report.recompute import recompute
from agent.city.report.report_tables import Period
from agent.city.report.shown.forms import as_json
from agent.commands.report import app
from agent.core.log.checkpoint import parse_body, parse_note, verifier_key
from agent.errors import UsageError
from agent.storage.audit_log import AuditLog
from tests.support.audit_logs import KEY
from tests.support.audit_logs import rows as rows_of
from tests.support.log_attacks import note_of
from tests.support.reported_city import CITY_LOG, DOMAIN, named_by_domain, reported_city
from tests.support.told_logs import Leaf, Told, _next, write
from tests.support.witness_logs import cosigned_file, run

pytestmark = pytest.mark.usefixtures("quick_disk")
WATCH = f"{DOMAIN}/platewarden/main-street-2/watch"
CITY = f"{DOMAIN}/platewarden/exampleville/city"
OLDER = "platewarden/county-road-9/watch"
BY_HAND = 3  # acts of the city before it takes in checkpoints


@pytest.fixture
def witness(tmp_path):
    state = tmp_path / "witness"
    return state, str(new_witness(state, "witness.example/w1"))


@pytest.fixture
def made(tmp_path, witness):
    """The city's log tells 30 leaves of one camera and 20 of another, and then one leaf more."""
    city = reported_city(tmp_path)
    named_by_domain(city)
    acts = city.told.logs.pop(CITY_LOG)
    city.log()
    told = [
        checkpoint(city, WATCH, "main-street-2/watch", 30),
        checkpoint(city, OLDER, "county-road-9/watch", 20),
    ]
    with_city_log(city, [*acts, *told])
    return city


def checkpoint(city, origin, place, size):
    root = parse_body(parse_note(note_of(city.logs / place, size)).signed).root.hex()
    at = city.told.logs[tuple(place.split("/"))][-1].at
    return Leaf(at, "checkpoint", {"log": origin, "outcome": "first", "size": size, "root": root})


def with_city_log(city, leaves):
    write(Told({CITY_LOG: leaves}, domains=city.told.domains), city.logs)


def cosign(city, witness):
    """What the city's daily job does."""
    folder, (state, _) = city.logs / "exampleville/city", witness
    assert run("witness", folder, "--state", state, "--key", city.key).exit_code == 0
    (folder / "cosigned").write_bytes(cosigned_file(state).read_bytes())


def wanted(city, vkey):
    (city.folder / "witnesses.policy").write_text(f"witness W {vkey}\nquorum W\n")


def asked(city):
    return Asked(city.folder, [city.logs], Period("2026-11"), (), [city.key])


def rows(report):
    table = next(one for one in report.tables if one.code == "witnesses")
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}, table.says


def time_of(city, place, leaf):
    [(details,)] = rows_of(city.logs / place, f"SELECT details FROM leaf WHERE n = {leaf}")
    return json.loads(details)["at"]


def test_where_nobody_was_named_every_log_is_unwitnessed_from_its_first_leaf(made):
    found, says = rows(make(asked(made)).report)
    assert set(found) == {one.origin for one in make(asked(made)).report.pins}
    assert "nobody vouches" in says
    assert found[WATCH]["unwitnessed since"] == time_of(made, "main-street-2/watch", 0)
    assert {row["vouched for"] for row in found.values()} == {0}


def test_cameras_are_vouched_for_through_the_city_s_log(made, witness):
    wanted(made, witness[1])
    cosign(made, witness)
    found, says = rows(make(asked(made)).report)
    assert "Wanted: witness W, as the city's witnesses.policy says" in says
    assert (found[CITY]["vouched for"], found[CITY]["unwitnessed since"]) == (BY_HAND + 2, "")
    for origin, place, size in (
        (WATCH, "main-street-2/watch", 30),
        (OLDER, "county-road-9/watch", 20),
    ):
        row = found[origin]
        assert (row["vouched for"], row["through"]) == (size, CITY)
        assert row["since"] == found[CITY]["since"]
        assert row["unwitnessed since"] == time_of(made, place, size)
    deliver = found[OLDER.replace("watch", "deliver")]
    assert (deliver["vouched for"], deliver["since"], deliver["through"]) == (0, "", "")


def test_what_the_city_took_in_later_is_not_vouched_for(made, witness):
    wanted(made, witness[1])
    cosign(made, witness)
    leaves = made.logs / "exampleville/city"
    before = (leaves / "cosigned").read_bytes()
    more = checkpoint(made, WATCH, "main-street-2/watch", 50)
    with AuditLog(leaves / "log.sqlite", CITY, KEY, partial(_next, iter([more.at]))) as log:
        log.append(more.kind, more.details)
    found, _ = rows(make(asked(made)).report)
    assert found[WATCH]["vouched for"] == 30
    assert found[CITY]["unwitnessed since"] == time_of(made, "exampleville/city", BY_HAND + 2)
    cosign(made, witness)
    assert (leaves / "cosigned").read_bytes() != before
    found, _ = rows(make(asked(made)).report)
    assert found[WATCH]["vouched for"] == 50


@pytest.mark.parametrize("form", ["html", "json"])
def test_made_again_without_the_policy_and_with_later_cosignatures(made, witness, tmp_path, form):
    wanted(made, witness[1])
    cosign(made, witness)
    page = tmp_path / f"report.{form}"
    words = [made.logs, "--city", made.folder, "--key", made.key]
    words = list(map(str, words))
    done = CliRunner().invoke(app, [*words, "--period", "2026-11", "--as", form, "--out", page])
    assert done.exit_code == 0, done.output
    assert "unwitnessed since" in page.read_text()
    (made.folder / "witnesses.policy").unlink()
    (made.logs / "exampleville/city/cosigned").unlink()
    again = CliRunner().invoke(app, [*words, "--verify", str(page)])
    assert (again.exit_code, "byte for byte" in again.output) == (0, True), again.output
    text = page.read_text()
    page.write_text(text.replace(witness[1], f"{witness[1][:-6]}AAAAA="))
    again = CliRunner().invoke(app, [*words, "--verify", str(page)])
    assert again.exit_code in {2, 3} or isinstance(again.exception, UsageError)


def test_a_report_that_says_more_than_its_cosignatures_differs(made, witness, tmp_path):
    wanted(made, witness[1])
    cosign(made, witness)
    table = json.loads(as_json(make(asked(made)).report))
    assert "witness.example/w1" in table["logs"][CITY]["cosigned"]
    table["logs"][CITY]["cosigned"] = ""
    page = tmp_path / "report.json"
    page.write_text(json.dumps(table, ensure_ascii=True, sort_keys=True, indent=1) + "\n")
    found = recompute(page, asked(made)).differences
    assert any("section witnesses: it should say" in one and f'"{WATCH}", ' in one for one in found)


def test_two_histories_are_vouched_for_by_nobody(made, witness):
    wanted(made, witness[1])
    first = made.told.logs["main-street-2", "watch"][0]
    more = checkpoint(made, WATCH, "main-street-2/watch", 40)
    more.details["root"] = "ab" * 32
    city = made.logs / "exampleville/city"
    for one in city.iterdir():
        one.unlink()
    with_city_log(made, [first, more])
    cosign(made, witness)
    found, _ = rows(make(asked(made)).report)
    assert found[CITY]["vouched for"] == 2
    assert found[WATCH]["vouched for"] == 0


def test_the_charter_s_word_goes_before_the_file(tmp_path, witness):
    """The charter is signed."""
    rules = "\n".join(
        (
            "\n[witnesses]",
            f'log = "{verifier_key(CITY, KEY.public_key().public_bytes_raw())}"',
            f'keys = ["{witness[1]}"]',
            "quorum = 1\n",
        )
    )
    city = reported_city(tmp_path / "chartered")
    named_by_domain(city)
    city.city.files[TARGETS][CHARTER_PATH] += rules.encode()
    city.city.release(TARGETS)
    city.publish(1)
    city.log()
    (city.folder / "witnesses.policy").write_text("quorum none\n")
    cosign(city, witness)
    report = make(replace(asked(city), period=Period("2026-12"))).report
    found, says = rows(report)
    assert "as the city's charter says" in says
    assert report.witnesses == ""
    assert (found[CITY]["vouched for"], found[CITY]["through"]) == (BY_HAND, "")
    assert found[WATCH]["vouched for"] == 0


def test_in_csv_and_on_the_page(made, witness):
    wanted(made, witness[1])
    cosign(made, witness)
    words = list(map(str, [made.logs, "--city", made.folder, "--key", made.key]))
    done = CliRunner().invoke(app, [*words, "--period", "2026-11", "--csv"])
    cells = [one for one in csv.DictReader(io.StringIO(done.stdout)) if one["table"] == "witnesses"]
    assert {one["column"] for one in cells} >= {"vouched for", "unwitnessed since"}
    done = CliRunner().invoke(app, [*words, "--period", "2026-11"])
    assert "How far witnesses vouch for the logs" in done.stdout
