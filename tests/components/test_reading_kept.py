"""A camera that reads worse than its charter promises says so, closes where the charter wants it,
and opens again by itself; what it knows survives a start.
"""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from agent.core.camera.health.health_report import Reading
from agent.core.camera.health.reading_quality import ReadingDay, ReadingTally
from agent.core.policy.schema.reading_rules import ReadingRules
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.sides.health.reading_keeper import KEEP_EVERY_S, LOOK_EVERY_S, ReadingKeeper
from agent.storage.health.reading_days import NAME, ReadingMemory, read_memory, write_memory
from tests.fakes.audit import FakeAuditLog

AT = datetime(2027, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CLOSING = ReadingRules(7, None, None, close=True)
TELLING = ReadingRules(7, None, None, close=False)


class Keeper:
    """The keeper of one camera, whose days pass."""

    def __init__(self, folder, rules=CLOSING):
        self.path, self.at, self.seconds = folder / NAME, AT, 0.0
        self.log, self.events, self.tally = FakeAuditLog(), [], ReadingTally()
        self.start(rules)

    def start(self, rules):
        self.tally = ReadingTally()
        self.keeper = ReadingKeeper(
            self.path, self.tally, self.log, self.events.append, lambda: self.seconds
        )
        self.keeper.obey(rules)

    def look(self, days=0, trust=ClockTrust.TRUSTED):
        self.at += days * DAY
        self.seconds += max(LOOK_EVERY_S, days * 86_400)
        self.keeper.look(Instant(self.at, trust))
        return self.keeper.state, self.keeper.closes

    def rehearse(self):
        self.tally.test_plate(Instant(self.at), right=True)


@pytest.fixture
def camera(tmp_path):
    return Keeper(tmp_path)


class TestKeeper:
    def test_it_closes_after_a_week_without_a_rehearsal_and_one_opens_it(self, camera):
        assert camera.look() == (Reading.AS_PROMISED, False)
        assert camera.look(6) == (Reading.AS_PROMISED, False)
        assert camera.look(1) == (Reading.WORSE, True)
        assert camera.look() == (Reading.WORSE, True)
        [event] = camera.events
        assert event.details == {
            "state": "worse",
            "why": "no test plate was read right for 7 days",
        }
        assert [leaf["reason"] for leaf in camera.log.details("refusal")] == [Reason.READS_WORSE]
        camera.rehearse()
        assert camera.look() == (Reading.AS_PROMISED, False)
        assert camera.events[-1].details == {"state": "as-promised"}

    def test_where_the_charter_only_tells_it_does_not_close(self, tmp_path):
        camera = Keeper(tmp_path, TELLING)
        camera.look()
        assert camera.look(7) == (Reading.WORSE, False)
        assert len(camera.events) == 1
        assert camera.log.details("refusal") == []

    def test_without_a_promise_there_is_nothing_to_say(self, tmp_path):
        camera = Keeper(tmp_path, None)
        camera.look()
        assert camera.look(100) == (None, False)
        assert camera.events == []

    def test_a_start_changes_nothing(self, camera):
        camera.look()
        camera.rehearse()
        camera.keeper.keep()
        camera.start(CLOSING)
        assert camera.look(6) == (Reading.AS_PROMISED, False)
        assert camera.look(1) == (Reading.WORSE, True)
        camera.start(CLOSING)
        assert camera.look() == (Reading.WORSE, True)

    def test_what_was_seen_is_on_the_disk_within_the_hour(self, camera):
        camera.look()
        camera.rehearse()
        camera.seconds += KEEP_EVERY_S
        camera.look()
        assert [one.right for one in read_memory(camera.path).days] == [1]

    def test_a_promise_that_was_withdrawn_begins_anew(self, camera):
        camera.look()
        camera.keeper.obey(None)
        assert camera.look(30) == (None, False)
        camera.keeper.obey(CLOSING)
        assert camera.look() == (Reading.AS_PROMISED, False)
        assert camera.look(7) == (Reading.WORSE, True)

    def test_a_clock_that_is_not_trusted_says_nothing(self, camera):
        camera.look()
        assert camera.look(90, ClockTrust.UNTRUSTED) == (Reading.AS_PROMISED, False)
        camera.at = AT
        assert camera.look() == (Reading.AS_PROMISED, False)


class TestFile:
    def test_it_comes_back(self, tmp_path):
        memory = ReadingMemory(
            (ReadingDay(date(2027, 2, 28), 3, 2.5, 1, 0), ReadingDay(date(2027, 3, 1), 1, 0.9)),
            date(2027, 1, 1),
        )
        write_memory(tmp_path / NAME, memory)
        assert read_memory(tmp_path / NAME) == memory

    @pytest.mark.parametrize(
        "damage",
        [
            "",
            "[]",
            '{"asked_since": null, "days": [{"day": "x"}]}',
            '{"asked_since": "yesterday", "days": []}',
            json.dumps(
                {
                    "asked_since": None,
                    "days": [
                        {
                            "day": "2027-03-01",
                            "vehicles": 1,
                            "confidence": 99.0,
                            "right": 0,
                            "wrong": 0,
                        }
                    ],
                }
            ),
        ],
    )
    def test_a_damaged_one_is_empty(self, tmp_path, damage):
        (tmp_path / NAME).write_text(damage)
        assert read_memory(tmp_path / NAME) == ReadingMemory()
        assert read_memory(tmp_path / "none") == ReadingMemory()
