"""Whatever an outsider's document makes a library raise is that document's refusal, and nobody
else's end.
"""

import dataclasses
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from agent import boundary, cli
from agent.bundles import (
    city_folder,
    hotlist_file,
    hotlist_sealed,
    jurisdiction_files,
)
from agent.bundles.city_folder import CityFolder
from agent.bundles.follower import Follower
from agent.bundles.generation_store import BundleStore
from agent.camera import images
from agent.city import checkpoint_messages
from agent.core.hotlist.builder import ListBuilder
from agent.core.hotlist.categories import AllowList
from agent.core.hotlist.columns import MAX_CROWD, most_crowded, slots_of
from agent.core.hotlist.compiled_format import decode, encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.judging.check.policy_check import Against, File, check_policy
from agent.core.policy import camera_roster, charter
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.core.reasons import Reason
from agent.core.text.strict_json import Fields
from agent.core.time.instant import Instant
from agent.core.wire import key_list
from agent.errors import (
    BundleRefusedError,
    ConfigError,
    EnvelopeRefusedError,
    RefusedError,
    SourceError,
    UsageError,
)
from agent.receiver.intake import Intake
from agent.settings import Limits
from agent.sides import camera_state
from agent.storage import growth_mailbox
from agent.verifying import (
    enrolment_check,
    envelope_check,
    key_list_check,
    receipt_check,
    roster_check,
)
from tests.support.bundle_city import BundleCity
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, RECIPIENT

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config/policies/exampleville"
NOW = Instant(CAPTURED)
KEY = bytes(range(32))


class UnheardOfError(Exception):
    """What no library of ours raises today."""


def fails(*_args, **_named):
    raise UnheardOfError("TST0042 must not be shown")


BOUNDARIES = {
    "camera's checkpoint": (
        checkpoint_messages,
        "look_at",
        lambda _: checkpoint_messages._message("cam-7", b"", None, None),
        UsageError,
    ),
    "watch's checkpoint": (
        growth_mailbox,
        "verified_checkpoint",
        lambda folder: growth_mailbox.WatchGrowth(
            written(folder / "growth", b"note"), folder / "shown", "log", KEY
        ).message(),
        EnvelopeRefusedError,
    ),
    "key list": (
        key_list_check.jose,
        "verify_compact",
        lambda _: key_list_check.verify_key_list(b"", "pd", KEY),
        EnvelopeRefusedError,
    ),
    "enrolment": (
        enrolment_check,
        "parse_enrolment",
        lambda _: enrolment_check.verify_enrolment(b"{}"),
        EnvelopeRefusedError,
    ),
    "sealed read": (
        envelope_check.sealed_read,
        "split",
        lambda _: envelope_check.EnvelopeVerifier({}).verify(b""),
        EnvelopeRefusedError,
    ),
    "receipt": (
        receipt_check,
        "parse_receipt",
        lambda _: receipt_check.ReceiptVerifier({}).verify(b"e30.e30.e30"),
        EnvelopeRefusedError,
    ),
    "roster": (
        roster_check.jose,
        "verify_general",
        lambda _: roster_check.verify_roster(b"", roster_check.RosterRoot((KEY,))),
        EnvelopeRefusedError,
    ),
    "root key": (
        roster_check,
        "parse_object",
        lambda _: roster_check.parse_root(b"{}"),
        EnvelopeRefusedError,
    ),
    "hot list": (
        hotlist_sealed,
        "_opened",
        lambda folder: hotlist_sealed.open_hotlist(
            folder, None, date(2027, 1, 1), (), timedelta(1), CAPTURED, HotlistRules()
        ),
        BundleRefusedError,
    ),
    "hot list of a folder": (
        hotlist_file,
        "_imported",
        lambda folder: hotlist_file.read_hotlist(folder, date(2027, 1, 1)),
        ConfigError,
    ),
    "policy": (
        city_folder,
        "parse_policy",
        lambda _: CityFolder(EXAMPLE).policy(),
        ConfigError,
    ),
    "charter": (
        charter,
        "parse_charter",
        lambda _: CityFolder(EXAMPLE).charter(),
        ConfigError,
    ),
    "cameras": (
        camera_roster,
        "parse_roster",
        lambda _: CityFolder(EXAMPLE).cameras(),
        ConfigError,
    ),
    "profile": (
        jurisdiction_files,
        "parse_profile",
        lambda _: jurisdiction_files.shipped("us-ca"),
        ConfigError,
    ),
    "what deliver says of its links": (
        camera_state.link_facts,
        "parse_facts",
        lambda folder: camera_state._delivery(written(folder / "links.json", b"{}")),
        EnvelopeRefusedError,
    ),
    "image": (
        images.image_header,
        "parse",
        lambda folder: images.load_image(written(folder / "a.png", b"picture"), 10**6),
        SourceError,
    ),
}


def written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("name", BOUNDARIES)
def test_an_exception_that_nobody_foresaw_is_the_documents_refusal(name, tmp_path, monkeypatch):
    module, function, take, error = BOUNDARIES[name]
    monkeypatch.setattr(module, function, fails)
    before = sum(boundary.unforeseen().values())
    with pytest.raises(error) as refused:
        take(tmp_path)
    assert "UnheardOfError" in str(refused.value)
    assert "TST0042" not in str(refused.value)
    if isinstance(refused.value, RefusedError):
        assert refused.value.reason == Reason.UNFORESEEN
    assert sum(boundary.unforeseen().values()) == before + 1
    assert "TST0042" not in json.dumps(boundary.unforeseen())


def test_a_person_who_stops_the_process_is_no_document():
    with pytest.raises(KeyboardInterrupt), boundary.document("key list"):
        raise KeyboardInterrupt


def test_our_own_errors_pass_as_they_are():
    mine = ConfigError("x", where="y", fix="z")
    with pytest.raises(ConfigError) as passed, boundary.document("policy"):
        raise mine
    assert passed.value is mine


# --- the processes go on ---


def test_a_receiver_drops_the_message_and_takes_the_next(tmp_path, monkeypatch):
    enrolled = Enrolled(tmp_path / "recipient", now=NOW)
    store = enrolled.place.store()
    intake = Intake(RECIPIENT, enrolled.place.opener(), store, enrolled.place.signer())
    first, second = enrolled.seal(), enrolled.seal()
    with monkeypatch.context() as planted:
        planted.setattr(envelope_check.sealed_read, "split", fails)
        assert intake.take(first.wire, NOW).outcome == "dropped:unforeseen"
    assert intake.take(second.wire, NOW).outcome == "stored"
    store.close()


def test_a_camera_keeps_its_bundles_and_looks_again(tmp_path, monkeypatch):
    city = BundleCity(datetime.now(UTC) - timedelta(hours=1))
    box = city.write(tmp_path / "inbox")
    store = BundleStore(tmp_path / "store", city.anchor(tmp_path), Limits(), rig=False)
    told = []
    follower = Follower(store, box, lambda reason, what: told.append((reason, what)))
    with monkeypatch.context() as planted:
        planted.setattr("agent.bundles.verification.Verification", fails)
        assert follower.look(Instant(datetime.now(UTC)), 0.0) is None
    assert [reason for reason, _ in told] == [Reason.UNFORESEEN]
    assert follower.look(Instant(datetime.now(UTC)), 1000.0) is not None


def test_tuf_may_raise_anything(tmp_path, monkeypatch):
    city = BundleCity(datetime.now(UTC) - timedelta(hours=1))
    box = city.write(tmp_path / "inbox")
    store = BundleStore(tmp_path / "store", city.anchor(tmp_path), Limits(), rig=False)
    monkeypatch.setattr("agent.bundles.verification.Updater.refresh", fails)
    with pytest.raises(BundleRefusedError) as refused:
        store.take_in(box, Instant(datetime.now(UTC)))
    assert "TST0042" not in str(refused.value)


def test_an_odd_part_of_the_state_hides_no_other(tmp_path):
    deep = b'{"as_of": ' + b"[" * 40_000
    (tmp_path / "hotlist.json").write_bytes(deep[:4000])
    (tmp_path / "refusals.json").write_bytes(deep)
    found = camera_state._part(lambda: camera_state._refusals(tmp_path / "refusals.json"))
    assert found == {"problem": "refused [malformed]: refusals.json: is not one JSON list"}
    assert camera_state._part(fails) == {"problem": "cannot be read (UnheardOfError)"}


def test_a_command_that_meets_what_nobody_foresaw_ends_in_one_line(monkeypatch, capsys):
    monkeypatch.delenv("PLATEWARDEN_DEBUG", raising=False)
    monkeypatch.setattr("agent.settings.load", fails)
    with pytest.raises(SystemExit) as ended:
        cli.main(["status", "--config", "platewarden.toml"])
    told = capsys.readouterr().err
    assert ended.value.code == 1
    assert "UnheardOfError in test_boundaries.py:" in told
    assert told.count("\n") == 1
    assert "TST0042" not in told


# --- nothing is computed from a value before its range is known ---


@pytest.mark.parametrize("year", ["1969", "2019", "2201", "9999"])
def test_a_date_from_outside_lies_in_two_centuries(year):
    fields = Fields(
        {"at": f"{year}-12-31T00:00:00.000Z", "day": f"{year}-12-31"}, "x", required=("at", "day")
    )
    for read, name in ((fields.moment, "at"), (fields.day, "day")):
        with pytest.raises(EnvelopeRefusedError, match="2020 to 2200"):
            read(name)


def test_a_report_may_be_older_than_that():
    assert (
        Fields({"day": "1998-12-31"}, "x", required=("day",)).day("day", first_year=1970).year
        == 1998
    )


def test_an_unsigned_message_of_the_year_9999_ends_nobody(tmp_path):
    enrolled = Enrolled(tmp_path / "recipient", now=NOW)
    read = enrolled.seal()
    head, _, rest = read.wire.decode().partition(".")
    from agent.core.text.encoding import b64url, from_b64url

    header = json.loads(from_b64url(head))
    header["alpr"]["epoch"] = "9999-12-31"
    header["kid"] = f"{RECIPIENT}/9999-12-31"
    wire = f"{b64url(json.dumps(header).encode())}.{rest}".encode()
    with pytest.raises(EnvelopeRefusedError) as refused:
        enrolled.place.opener().verify(wire)
    assert refused.value.reason == Reason.MALFORMED


def test_a_key_list_of_the_year_9999_is_refused():
    keys = {"epoch": "9999-12-31", "key": {}}
    with pytest.raises(EnvelopeRefusedError, match="2020 to 2200"):
        key_list._parse_entry(keys, 0, CAPTURED)


def test_a_role_that_expires_in_the_year_9999_is_refused(tmp_path):
    city = BundleCity(datetime.now(UTC) - timedelta(hours=1))
    city.timestamp(expires=datetime(9999, 12, 31, tzinfo=UTC))
    store = BundleStore(tmp_path / "store", city.anchor(tmp_path), Limits(), rig=False)
    with pytest.raises(BundleRefusedError, match="expires in the year 9999"):
        store.take_in(city.write(tmp_path / "inbox"), Instant(datetime.now(UTC)))


# --- the list's index ---


def compiled(entries=200):
    head = "plate,state,category,agency,case,source_date,expires\n"
    rows = "".join(
        f"TST{number:04d},US-CA,stolen-vehicle,Exampleville PD,C-{number},2027-01-01,2027-03-01\n"
        for number in range(entries)
    )
    source = Source([(head + rows).encode()], "list.csv", CAPTURED)
    return import_list(source, None, date(2027, 1, 15)).compiled


def again(found, columns=None, **changes):
    header = found.header.changed(**changes)
    return decode(bytearray(encode(header, columns or found.columns)), "list")


def test_the_list_as_it_is_made_is_taken():
    found = compiled()
    assert len(again(found).columns) == 200


@pytest.mark.parametrize(
    "shapes", [{"": 1}, {"LLL?": 1}, {"lll": 1}, {"L" * 13: 1}, {"LLLDDDD": 10_000}]
)
def test_odd_shapes_are_refused(shapes):
    with pytest.raises(ConfigError, match="shapes"):
        again(compiled(), shapes=shapes)


def test_a_list_made_in_the_year_9999_is_refused():
    with pytest.raises(ConfigError, match="2020 to 2200"):
        again(compiled(), as_of="9999-12-31T00:00:00.000Z")


def test_a_multiplier_that_fills_one_bucket_is_refused():
    """One is odd, and leaves the low numbers of all texts in the lowest bucket."""
    found = compiled(2000)
    builder = ListBuilder(date(2027, 1, 15), AllowList(None))
    for number in range(2000):
        builder.add(
            f"TST{number:04d}", "US-CA", "stolen-vehicle", "Exampleville PD", f"C-{number}",
            "2027-01-01", "2027-03-01", "",
        )  # fmt: skip
    crowded = builder.columns(1)
    assert most_crowded(crowded.rows["slot"]) > MAX_CROWD
    with pytest.raises(ConfigError, match="columns"):
        again(found, crowded, multiplier=1, names=builder.names)


def test_an_even_spread_is_no_crowd():
    keys = np.sort(slots_of(np.arange(1, 100_001, dtype="<u8"), 0x9E3779B97F4A7C15))
    assert most_crowded(keys) <= 12


# --- a policy of any shape ---


def replaced(table, path=()):
    """The table with one value after the other exchanged for every wrong kind of value."""
    items = table.items() if isinstance(table, dict) else enumerate(table)
    for key, value in list(items):
        for odd in ([], [1], ["x", ["y"]], 0, -1, 1.5, True, {}, {"a": [1]}, "", "9999-12-31"):
            yield (*path, key), odd
        if isinstance(value, (dict, list)):
            yield from replaced(value, (*path, key))


def put(table, path, value):
    import copy

    made = copy.deepcopy(table)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return made


def as_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {as_toml(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date) else json.dumps(value)


@pytest.mark.parametrize("which", ["policy", "charter", "roster"])
def test_policy_check_answers_whatever_kind_a_value_has(which):
    import tomllib

    texts = {
        name: (EXAMPLE / f"{name}.toml").read_bytes() for name in ("policy", "charter", "roster")
    }
    profile = jurisdiction_files.shipped("us-ca")
    table = tomllib.loads(texts[which].decode())
    tried = 0
    for path, odd in replaced(table):
        changed = put(table, path, odd)
        text = "".join(f"{key} = {as_toml(value)}\n" for key, value in changed.items()).encode()
        files = {name: File(text if name == which else data, name) for name, data in texts.items()}
        check_policy(
            files["policy"],
            Against(files["charter"], files["roster"], profile, date(2026, 12, 1)),
        )
        tried += 1
    assert tried > 50


def test_a_kind_that_is_a_list_is_a_fault_and_no_crash():
    text = (EXAMPLE / "policy.toml").read_bytes().replace(b'kind = "', b'kind = ["x"] #', 1)
    assert b'kind = ["x"]' in text
    charter = (EXAMPLE / "charter.toml").read_bytes()
    if b"forbidden_kinds" not in charter:
        charter = b'forbidden_kinds = ["federal"]\n' + charter
    checked = check_policy(
        File(text, "policy.toml"),
        Against(File(charter, "charter.toml"), None, None, date(2026, 12, 1)),
    )
    assert checked.malformed


def test_dataclasses_are_as_the_tests_build_them():
    assert {one.name for one in dataclasses.fields(File)} >= {"untrusted_text", "where"}
