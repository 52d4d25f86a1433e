"""`audit show`: what logs say, as one asks for it; a withheld or doubtful leaf is never hidden."""

import csv
import io
import json
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from agent.commands.audit import app
from agent.core.log.checkpoint import origin_of
from agent.errors import LogRefusedError, UsageError
from tests.support.audit_logs import (
    DEVICE,
    KEY,
    OTHER_KEY,
    TickingClock,
    open_log,
    tamper,
    write_public_keys,
)

RELEASE = {"recipient": "exampleville-pd", "rule": "stolen", "sequence": 1, "read": f"{1:032x}"}


class Clock(TickingClock):
    """A day passes with every look."""

    def now(self):
        self.advance(86_399)
        return super().now()


@pytest.fixture
def work(tmp_path):
    """A camera's two logs and another's; their keys."""
    logs = {
        (DEVICE, "watch", KEY): [
            ("start", {}),
            ("release", RELEASE),
            ("release", {**RELEASE, "recipient": "county-sheriff", "rule": "amber"}),
            ("refusal", {"reason": "=cmd()", "what": "<script>"}),
        ],
        (DEVICE, "deliver", OTHER_KEY): [("start", {}), ("receipt", {"outcome": "stored"})],
        ("cam-test-2", "watch", KEY): [("release", RELEASE)],
    }
    for (device, process, key), leaves in logs.items():
        place = tmp_path / "logs" / device / process
        with open_log(place, key, origin_of(device, process), Clock()) as log:
            for kind, details in leaves:
                log.append(kind, details)
    write_public_keys(tmp_path / "one.json")
    write_public_keys(tmp_path / "two.json", device="cam-test-2")
    return tmp_path


def run(work, *arguments):
    keys = ("--key", work / "one.json", "--key", work / "two.json")
    return CliRunner().invoke(app, ["show", *map(str, (work / "logs", *keys, *arguments))])


def shown(work, *arguments):
    return json.loads(run(work, *arguments, "--json").output)["leaves"]


def test_all_logs_in_the_order_of_their_times(work):
    leaves = shown(work)
    assert len(leaves) == 7
    assert [one["at"] for one in leaves] == sorted(one["at"] for one in leaves)
    assert {(one["camera"], one["process"]) for one in leaves} == {
        (DEVICE, "watch"),
        (DEVICE, "deliver"),
        ("cam-test-2", "watch"),
    }


@pytest.mark.parametrize(
    ("asked", "kinds"),
    [
        (("--kind", "refusal"), ["refusal"]),
        (("--kind", "refusal", "--kind", "receipt"), ["receipt", "refusal"]),
        (("--recipient", "county-sheriff"), ["release"]),
        (("--rule", "stolen"), ["release", "release"]),
        (("--camera", "cam-test-2"), ["release"]),
        (("--rule", "stolen", "--camera", DEVICE), ["release"]),
        (("--day", "2027-01-19"), ["refusal"]),
        (("--day", "2027-02"), []),
        (("--recipient", "nobody"), []),
    ],
)
def test_what_is_asked_for(work, asked, kinds):
    assert sorted(one["kind"] for one in shown(work, *asked)) == kinds


def test_for_people(work):
    result = run(work, "--kind", "release")
    assert result.exit_code == 0, result.exception
    assert f"{DEVICE}/watch 1 release" in result.output
    assert "recipient=exampleville-pd" in result.output
    assert result.output.rstrip().endswith("3 logs: 3 whole")


def test_as_csv_without_a_formula(work):
    rows = list(csv.DictReader(io.StringIO(run(work, "--as", "csv").output)))
    assert len(rows) == 7
    assert {row["recipient"] for row in rows if row["kind"] == "release"} == {
        "exampleville-pd",
        "county-sheriff",
    }
    tamperers = [cell for row in rows for cell in row.values() if cell[:1] in "=+-@" and cell]
    assert tamperers == []


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_as_one_page_that_asks_nobody(work):
    text = run(work, "--as", "html", "--kind", "refusal").output
    page = Page()
    page.feed(text)
    names = [tag for tag, _ in page.tags]
    assert (names.count("tr"), "script" in names) == (2, False)
    assert not [attrs for _, attrs in page.tags if {"src", "href"} & attrs.keys()]
    assert "Leaves kind refusal" in text
    assert "&lt;script&gt;" in text
    assert dict(page.tags)["html"] == {"lang": "en"}


@pytest.mark.parametrize("asked", [(), ("--kind", "receipt"), ("--recipient", "nobody")])
def test_a_withheld_leaf_is_always_shown(work, asked):
    tamper(
        work / "logs" / DEVICE / "watch",
        "UPDATE leaf SET details = NULL, salt = NULL WHERE n = 2",
    )
    result = run(work, *asked)
    assert isinstance(result.exception, LogRefusedError)
    assert f"{DEVICE}/watch 2 withheld" in result.output


def test_an_altered_leaf_is_shown_in_doubt(work):
    tamper(
        work / "logs" / DEVICE / "watch",
        "UPDATE leaf SET details = CAST(replace(details, 'amber', 'other') AS BLOB) WHERE n = 2",
    )
    result = run(work, "--rule", "amber")
    assert isinstance(result.exception, LogRefusedError)
    assert "2 release IN DOUBT [leaf-changed]" in result.output


def test_nothing_of_a_log_that_was_not_verified(work):
    write_public_keys(work / "two.json", key=OTHER_KEY, device="cam-test-2")
    result = run(work)
    assert isinstance(result.exception, UsageError)
    assert "cam-test-2/watch" not in result.output


def test_a_day_that_is_none(work):
    result = run(work, "--day", "yesterday")
    assert isinstance(result.exception, UsageError)
    assert "--day yesterday" in str(result.exception)


def test_a_stranger_s_words_cannot_speak_to_the_terminal(work):
    with open_log(work / "logs/cam-test-2/watch", KEY, origin_of("cam-test-2", "watch")) as log:
        log.append("refusal", {"what": "x"})
    tamper(
        work / "logs/cam-test-2/watch",
        "UPDATE leaf SET details = CAST(replace(details, '\"x\"', '\"\\u001b[2J\"') AS BLOB)",
    )
    assert "\x1b" not in run(work).output
