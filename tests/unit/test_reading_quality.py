"""Does a camera read as promised: what a day adds up to, what is worse than usual, and what a
charter may say of it.
"""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.camera.health.health_report import Reading
from agent.core.camera.health.reading_quality import (
    FRESH_DAYS,
    LEAST_DAYS,
    LEAST_VEHICLES,
    MOST_DAYS,
    ReadingDay,
    ReadingTally,
    joined,
    judged,
)
from agent.core.policy.charter import parse_charter
from agent.core.policy.schema.reading_rules import ReadingRules
from agent.core.time.instant import Instant
from agent.core.wire.test_plate import ALPHABET, is_test_plate, nearly_test_plate, plate_for
from agent.errors import ConfigError

TODAY = date(2027, 3, 1)
LONG_AGO = date(2026, 1, 1)
DRIFT = ReadingRules(None, None, 0.1, close=False)
WEEKLY = ReadingRules(7, None, None, close=True)
CHARTER = """name = "Exampleville"
forbidden_recipients = []
forbidden_purposes = []
allowed_categories = ["test"]
max_retention = "30d"
"""


def day(ago, mean=0.9, vehicles=100, right=0, wrong=0):
    return ReadingDay(TODAY - timedelta(days=ago), vehicles, mean * vehicles, right, wrong)


def usual(days=20, first=1, mean=0.9):
    return [day(ago, mean) for ago in range(first + days - 1, first - 1, -1)]


def state(days, rules=DRIFT, asked_since=LONG_AGO):
    return judged(days, asked_since, TODAY, rules)[0]


class TestDrift:
    @pytest.mark.parametrize(
        ("mean", "found"),
        [(0.9, Reading.AS_PROMISED), (0.81, Reading.AS_PROMISED), (0.79, Reading.WORSE)],
    )
    def test_a_day_is_held_against_the_usual(self, mean, found):
        assert state([*usual(), day(0, mean)]) is found

    def test_until_enough_is_known_nothing_is_worse(self):
        assert state([*usual(LEAST_DAYS - 1), day(0, 0.1)]) is Reading.AS_PROMISED
        assert state([*usual(LEAST_DAYS), day(0, 0.1)]) is Reading.WORSE

    def test_a_day_with_few_vehicles_says_nothing(self):
        few = day(0, 0.1, vehicles=LEAST_VEHICLES - 1)
        assert state([*usual(), few]) is Reading.AS_PROMISED
        bad = day(1, 0.1)
        assert state([*usual(first=2), bad, few]) is Reading.WORSE, "nor does it make good"

    def test_months_of_bad_reading_do_not_become_the_usual(self):
        bad = usual(60, first=0, mean=0.7)
        assert state([*usual(20, first=60), *bad]) is Reading.WORSE

    def test_one_good_day_makes_good(self):
        assert state([*usual(first=6), *usual(5, first=1, mean=0.5), day(0)]) is (
            Reading.AS_PROMISED
        )

    def test_what_was_bad_a_week_ago_says_nothing_of_today(self):
        def old(ago):
            return [*usual(first=ago + 1), day(ago, 0.5)]

        assert state(old(FRESH_DAYS - 1)) is Reading.WORSE
        assert state(old(FRESH_DAYS)) is Reading.AS_PROMISED

    def test_a_day_that_is_still_to_come_is_a_clocks_fault(self):
        assert state([*usual(), day(-3, 0.1)]) is Reading.AS_PROMISED

    def test_it_says_what_it_found(self):
        _, why = judged([*usual(), day(0, 0.5)], LONG_AGO, TODAY, DRIFT)
        assert why == "mean confidence 0.50 on 2027-03-01, usually 0.90"

    def test_where_nothing_is_promised_of_it_nothing_is_worse(self):
        assert state([*usual(), day(0, 0.1, right=1)], WEEKLY) is Reading.AS_PROMISED


class TestRehearsals:
    def test_one_a_week_is_enough_and_none_is_too_few(self):
        assert state([day(6, right=1)], WEEKLY) is Reading.AS_PROMISED
        assert state([day(7, right=1)], WEEKLY) is Reading.WORSE
        assert state([], WEEKLY) is Reading.WORSE

    def test_a_camera_has_the_first_week_to_be_rehearsed_in(self):
        def since(ago):
            return TODAY - timedelta(days=ago)

        assert state([], WEEKLY, since(6)) is Reading.AS_PROMISED
        assert state([], WEEKLY, since(7)) is Reading.WORSE

    @pytest.mark.parametrize(
        ("right", "wrong", "found"),
        [(4, 1, Reading.AS_PROMISED), (3, 1, Reading.WORSE), (0, 1, Reading.WORSE)],
    )
    def test_so_many_of_them_must_be_read_right(self, right, wrong, found):
        rules = ReadingRules(7, 0.8, None, close=False)
        assert state([day(1, right=right, wrong=wrong)], rules, TODAY) is found

    def test_both_are_told(self):
        rules = ReadingRules(7, 0.8, 0.1, close=False)
        _, why = judged([*usual(), day(0, 0.5, right=1, wrong=2)], LONG_AGO, TODAY, rules)
        assert why.startswith(
            "1 of 3 test plates were read right in 7 days, promised are 0.8; mean"
        )


class TestNearlyATestPlate:
    @given(st.lists(st.integers(0, 20), min_size=4, max_size=4), st.integers(0, 8), st.data())
    def test_one_letter_misread_is_nearly_one(self, free, place, data):
        right = plate_for(free)
        assert is_test_plate(right)
        assert not nearly_test_plate(right)
        other = data.draw(st.sampled_from([one for one in ALPHABET if one != right[place]]))
        wrong = right[:place] + other + right[place + 1 :]
        assert nearly_test_plate(wrong)

    @pytest.mark.parametrize("text", ["", "TST0042", "TEST", "TEST3479", "TEXX34793", "ABCD34793"])
    def test_what_somebody_may_drive_with_is_none(self, text):
        assert not nearly_test_plate(text)


class TestTally:
    def test_days_add_up_and_are_taken_once(self):
        tally = ReadingTally()
        at = Instant(datetime(2027, 3, 1, 23, 59, tzinfo=UTC))
        for confidence in (0.5, 1.0):
            tally.vehicle(confidence, at)
        tally.vehicle(0.7, Instant(at.utc + timedelta(hours=1)))
        tally.test_plate(at, right=True)
        tally.test_plate(at, right=False)
        found = tally.take()
        assert found == (
            ReadingDay(TODAY, 2, 1.5, 1, 1),
            ReadingDay(TODAY + timedelta(days=1), 1, 0.7),
        )
        assert tally.take() == ()
        assert joined(found[:1], found) == (ReadingDay(TODAY, 4, 3.0, 2, 2), found[1])

    def test_the_newest_are_kept(self):
        days = usual(MOST_DAYS + 5)
        assert joined(days, [day(0)]) == (*days[6:], day(0))


def rules(text):
    return parse_charter((CHARTER + text).encode(), "charter.toml").reading


class TestCharter:
    def test_what_it_may_promise(self):
        assert rules("") is None
        assert rules("[reading]\n") is None
        found = rules("[reading]\nrehearsal_days = 7\nleast_right = 0.8\nmost_drift = 0.1\n")
        assert found == ReadingRules(7, 0.8, 0.1, close=False)
        assert str(found).endswith("0.8 of them right, confidence falls by 0.1 at most; only told")
        assert rules("[reading]\nmost_drift = 0.1\nclose = true\n").close

    @pytest.mark.parametrize(
        "line",
        [
            "close = true",
            "least_right = 0.8",
            "least_right = 0.8\nmost_drift = 0.1",
            "rehearsal_days = 0",
            "most_drift = 0.6",
            "rehearsal_days = 7\nwhat = 1",
        ],
    )
    def test_what_promises_nothing_or_too_much_is_refused(self, line):
        with pytest.raises(ConfigError, match="reading"):
            rules(f"[reading]\n{line}\n")
