"""P1 at the decision: what no hot list asks for is dropped in memory, whatever the policy; on disk
remain numbers.

Broken by hand to see it fail: `decide` without the check of the match; `report` with an outbox.put
outside the loop over releases.
"""

import random
from dataclasses import replace

import pytest

from agent.core.policy.counts import Counts
from agent.core.policy.decide import decide
from agent.core.policy.decider import Decider
from agent.core.policy.policy import Circumstances
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Reason
from agent.core.wire.match_level import MatchLevel
from agent.pipeline import Line, watch
from agent.storage.audit_log import AuditLog
from agent.storage.outbox import Outbox
from tests.fakes.sealing import FakeSealer
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.audit_logs import KEY, ORIGIN
from tests.support.judging import frame, hotlist, instant, policy, rule
from tests.support.plate_search import search

WANTED, NEAR_MISS = "PWD0001", "PWDO001"
PASSERS_BY = [f"KTX{number:03}Y" for number in range(40)] + [NEAR_MISS, "PWD0002", "PWD001", ""]
GENEROUS = policy(
    rule(match=frozenset(MatchLevel), min_confidence=0.0, max_per_hour=1000),
    rule(rule="two", recipient="sheriff", min_confidence=0.0),
)


@pytest.mark.parametrize("seed", range(5))
def test_no_policy_releases_what_no_list_asks_for(seed):
    chance = random.Random(seed)
    for _ in range(50):
        asked = replace(
            GENEROUS,
            releases=tuple(
                replace(one, min_confidence=chance.random()) for one in GENEROUS.releases
            ),
        )
        decision = decide(
            asked,
            Circumstances(instant(chance.uniform(0, 86_400)), "cam-1", chance.random()),
            None,
            {},
        )
        assert decision.releases == ()
        assert decision.reasons == (Reason.NO_HOTLIST_MATCH,)


class Camera:
    """The whole line over scripted vision, with the real outbox and the real log in a folder."""

    def __init__(self, folder, asked):
        self.log = AuditLog(folder / "log.sqlite", ORIGIN, KEY, lambda: instant(3_600))
        self.outbox = Outbox(folder / "outbox", self.log, max_reads=100, max_bytes=65_536)
        self.sealer = FakeSealer("cam-test-1")
        self.counts = Counts()
        self.sightings = 0
        self.unreadable = 0
        script = [FakePlate(text, confidence=0.99) for text in [*PASSERS_BY, WANTED]]
        self.script = lambda seen: (
            [script[seen.sequence // 3]] if seen.sequence // 3 < len(script) else []
        )
        self.line = Line(
            "cam-test-1",
            FakeDetector(self.script),
            FakeReader(self.script),
            Tracker(),
            hotlist(f"{WANTED},US-CA,stolen-vehicle"),
            Decider(asked),
            self.sealer,
            self.outbox,
            self.log,
            self.counts,
        )

    def run(self):
        watch(
            self.line,
            (
                frame(number, number // 3 * 5 + number % 3 * 0.5)
                for number in range(3 * len(PASSERS_BY) + 3)
            ),
            lambda: None,
        )
        for details in self.counts.close():
            self.sightings += details["sightings"]
            self.unreadable += details["unreadable"]
            self.log.append("counts", details)
        self.log.close()


def test_a_street_full_of_cars_leaves_one_sealed_read_and_numbers(tmp_path):
    camera = Camera(tmp_path, policy())
    camera.run()
    assert len(camera.sealer.sealed) == len(list((tmp_path / "outbox").iterdir())) == 1
    assert (camera.sightings, camera.unreadable) == (
        len([text for text in PASSERS_BY if text]) + 1,
        PASSERS_BY.count(""),
    )
    assert search(tmp_path, [text for text in PASSERS_BY if text]) == []


def test_without_an_entry_on_the_list_nothing_leaves_but_numbers(tmp_path):
    camera = Camera(tmp_path, GENEROUS)
    camera.line = replace(camera.line, hotlist=hotlist())
    camera.run()
    assert camera.sealer.sealed == []
    assert [path.name for path in (tmp_path / "outbox").iterdir()] == []
    assert search(tmp_path, [text for text in [*PASSERS_BY, WANTED] if text]) == []
