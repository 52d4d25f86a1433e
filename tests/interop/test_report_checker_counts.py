"""The page that checks a report counts as the report's code does: bands, shares, hashes, and leaves
of any kind, in a real browser.
"""

import json
import random
from hashlib import sha256
from pathlib import Path

import pytest

from agent.audit.log_report import Described, LogReport
from agent.audit.questions.ask import Asking
from agent.audit.shown_leaves import ShownLeaf
from agent.city.report import outcome_tables
from agent.city.report.archive_tables import obeyed
from agent.city.report.bands import band, total
from agent.city.report.checker.checker_page import LEFT_TO_THE_COMMAND
from agent.city.report.figures import of_logs
from agent.city.report.log_tally import Tally
from agent.city.report.log_work import LogDone
from agent.city.report.report_tables import Period
from agent.city.report.shown.forms import _value
from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.wire.receipt import Disposition
from agent.storage.log_key import parts_of
from agent.storage.log_reader import opening, said_kind, said_time
from tests.interop.test_report_checker import NOVEMBER, browser, one_browser, page
from tests.support.browser import CHROMIUM
from tests.support.reported_city import DOMAIN

__all__ = ["browser", "one_browser", "page"]
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium"),
]
ODD = (
    *("", "a", "é", "\u202e", "x" * 300, "\ud800", "stored", "rejected:no-key", "right-car"),
    *(None, True, 0, -1, 7, 2**60, 1.0, 1.5, [], ["a"], {}, {"a": 1}),
)
MEMBERS = (
    *("read", "recipient", "rule", "category", "match", "outcome", "reason", "what", "hour"),
    *("sightings", "unreadable", "reasons", "policy_version", "policy_digest", "clock", "act"),
    *("software", "software_sha256"),
    *("entries", "agency"),
)


def some_leaf(chance):
    """A leaf as anybody may write it who holds a log's key."""
    day = chance.choice(("2026-10-31", "2026-11-01", "2026-11-30", "2026-02-30"))
    at = f"{day}T{chance.randrange(26):02}:00:00.000Z"
    said = {"n": 0, "kind": chance.choice([*LeafKind, "new-kind", "<b>", 7]), "at": at}
    for name in chance.sample(MEMBERS, chance.randrange(len(MEMBERS))):
        said[name] = chance.choice(ODD)
    if chance.random() < 0.5:
        said["reasons"] = {
            chance.choice([*Reason, "no-reason"]): chance.choice(ODD) for _ in range(3)
        }
    if chance.random() < 0.5:
        said["outcome"] = chance.choice([*Disposition, "stored", "rejected:a:b"])
    if chance.random() < 0.3:
        said["act"] = chance.choice(("begin", "keep", "unkept", "open", "end", "lift"))
    if chance.random() < 0.3:
        said["entries"] = [{"category": chance.choice(ODD)}, chance.choice(ODD)]
    return json.dumps(said).encode()


def counted_here(origin, leaves):
    """As `leaves_of` and `work` read and count a log."""
    tally, before = Tally(*parts_of(origin)), ""
    for details in leaves:
        said = opening(details)
        before = said_time(said.get("at")) or before
        kind = said_kind(said.get("kind")) or "unreadable"
        tally.take(ShownLeaf(origin, "", "", 0, before, kind, "", said), Period(NOVEMBER))
    nothing = Described(0, 0, 0, {}, "", "")
    report = LogReport(Path(), origin, nothing, None, (), ())
    return LogDone(report, 0, "", {}, tally, Asking(origin).story, [])


READ_THERE = """(([origin, leaves]) => {
  const tally = new Tally(origin, "2026-11");
  let before = "";
  for (const one of leaves) {
    const said = saidBy(new TextEncoder().encode(one));
    before = saidTime(said.at) || before;
    tally.take({ at: before, kind: saidKind(said.kind) || "unreadable", details: said });
  }
  return [origin, { origin, withheld: [], leaves: 0, root: "", tally }];
})"""


def test_leaves_of_any_kind_count_the_same_in_the_page(browser):
    """Also those that no camera writes: numbers as texts, texts without an end, unknown kinds, two
    names of one camera's log.
    """
    chance = random.Random(23)
    names = [
        f"{domain}platewarden/{camera}/{process}"
        for domain in ("", f"{DOMAIN}/", "no_domain/")
        for camera in ("camera-1", "camera/2")
        for process in ("watch", "deliver", "city", "hold")
    ]
    logs = {name: [some_leaf(chance) for _ in range(250)] for name in names}
    texts = json.dumps([[name, [one.decode() for one in all_]] for name, all_ in logs.items()])
    facts = "{enrolled: ['camera-1', 'camera-9'], digests: new Set(['a'])}"
    told = browser.run(f"tables(new Map({texts}.map({READ_THERE})), {facts})")
    done = [counted_here(name, leaves) for name, leaves in logs.items()]
    expected = (
        *of_logs(sorted(done, key=lambda one: one.report.origin), [], ["camera-1", "camera-9"]),
        obeyed([one.tally for one in done], {"a"}),
    )
    for table in expected:
        if table.code not in LEFT_TO_THE_COMMAND:
            rows = [[_value(cell) for cell in row] for row in table.rows]
            assert (table.code, told[table.code]) == (table.code, rows)


def test_shares_are_those_of_the_report_s_code(browser):
    chance = random.Random(11)
    rows = [[chance.choice((0, 1, 4, 5, 17, 300)) for _ in Disposition] for _ in range(60)]
    told = browser.run(f"{json.dumps(rows)}.map(one => outcomeRow(one.map(band)))")
    for numbers, row in zip(rows, told, strict=True):
        assert row[-1] == outcome_tables._row([band(one) for one in numbers])[-1]


def test_bands_and_hashes_are_those_of_the_camera_s_code(browser):
    chance = random.Random(7)
    lists = [[chance.randrange(30) for _ in range(chance.randrange(1, 7))] for _ in range(300)]
    told = browser.run(f"{json.dumps(lists)}.map(one => [one.map(band), total(one)])")
    for numbers, (bands, whole) in zip(lists, told, strict=True):
        expected = [[one.at_least, one.at_most] for one in map(band, numbers)]
        assert bands == expected
        assert whole == [total(numbers).at_least, total(numbers).at_most]
    texts = [
        bytes(chance.randrange(256) for _ in range(size)) for size in (0, 1, 55, 56, 63, 64, 999)
    ]
    for one in texts:
        assert browser.run(f"hex(sha256(new Uint8Array({list(one)})))") == sha256(one).hexdigest()
