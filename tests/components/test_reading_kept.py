"""A camera that reads worse than its charter promises says so, closes where the charter wants it,
and opens again by itself; what it knows survives a start.
"""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from agent.bundles.layout import CHARTER_PATH, TARGETS
from agent.core.camera.health.health_report import Reading
from agent.core.camera.health.reading_quality import ReadingDay, ReadingTally
from agent.core.policy.schema.reading_rules import ReadingRules
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.test_plate import plate_for
from agent.sides.health.reading_keeper import KEEP_EVERY_S, LOOK_EVERY_S, ReadingKeeper
from agent.storage.health import watch_health
from agent.storage.health.reading_days import NAME, ReadingMemory, read_memory, write_memory
from agent.storage.health.watch_health import told_by_watch
from agent.storage.mailbox import HEALTH
from tests.fakes.audit import FakeAuditLog
from tests.fakes.vision import FakePlate
from tests.support import signed_camera as support
from tests.support.camera_rig import copy_of
from tests.support.signed_camera import leaves, signed_camera

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


class TestOnACamera:
    """The whole line, under signed bundles and on simulated time."""

    @pytest.fixture
    def camera(self, installed, tmp_path):
        made = signed_camera(copy_of(installed, tmp_path))
        made.city.files[TARGETS][CHARTER_PATH] += b"\n[reading]\nrehearsal_days = 1\nclose = true\n"
        made.city.release(TARGETS)
        made.city.online()
        made.publish()
        return made

    def test_it_closes_by_the_charter_and_a_test_plate_opens_it(self, camera, monkeypatch):
        wanted, shown = support.WANTED, FakePlate(plate_for((0, 1, 2, 3)), (40, 60, 120, 30), 0.99)

        def next_day():
            camera.passes(1.5)
            camera.new_list()

        camera.script[1] = next_day
        camera.script[2] = lambda: setattr(support, "WANTED", shown)
        camera.script[3] = lambda: setattr(support, "WANTED", wanted)
        monkeypatch.setattr(support, "WANTED", wanted)
        monkeypatch.setattr(watch_health, "FIRST_AFTER_S", 0.0)
        camera.watch(monkeypatch, cars=4)
        assert len(list(camera.settings.outbox.glob("*.sealed"))) == 2, (
            "the second car passed while it was closed"
        )
        reasons = [leaf["reason"] for leaf in leaves(camera.settings, "refusal")]
        assert reasons == ["reads-worse"]
        told = [one for one in leaves(camera.settings, "camera") if one["what"] == "reading"]
        assert [one["state"] for one in told] == ["worse", "as-promised"]
        kept = read_memory(camera.settings.state / "watch" / NAME)
        assert sum(one.right for one in kept.days) == 1
        assert sum(one.vehicles for one in kept.days) == 3
        assert plate_for((0, 1, 2, 3)) not in (camera.settings.state / "watch" / NAME).read_text()
        facts = told_by_watch(camera.settings.outbox / HEALTH)
        assert facts.reading in set(Reading)
