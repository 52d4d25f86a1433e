"""Hourly counts: numbers only, each hour once, quiet hours as zeros."""

import json
from datetime import UTC, date, datetime, timedelta

from agent.core.log.leaf import canonical
from agent.core.policy.counts import Counts
from agent.core.policy.policy import Decision, Match, Release
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.core.wire.match_level import MatchLevel

TEN = datetime(2027, 1, 15, 10, 20, tzinfo=UTC)
RELEASE = Release(
    "r",
    "pd",
    "p",
    21,
    frozenset(),
    Match("stolen-vehicle", MatchLevel.EXACT, "A", "C", date(2027, 1, 1)),
    "n",
    1,
    "00",
)
HIT = Decision((RELEASE,), (Reason.RELEASED,))
MISS = Decision((), (Reason.NO_HOTLIST_MATCH,))
TWO_RULES = Decision(
    (), (Reason.CONFIDENCE_TOO_LOW, Reason.CONFIDENCE_TOO_LOW, Reason.BUDGET_SPENT)
)


def at(minutes=0):
    return Instant(TEN + timedelta(minutes=minutes))


def test_an_hour_is_given_once_and_when_it_is_over():
    counts = Counts()
    for decision in (HIT, MISS, MISS, TWO_RULES):
        counts.add(decision, at())
    assert counts.flush(at(39)) == ()
    [hour] = counts.flush(at(40))
    assert hour == {
        "hour": "2027-01-15T10:00:00.000Z",
        "seen": 0,
        "unreadable": 0,
        "sightings": 4,
        "released": 1,
        "dropped": 3,
        "tests": 0,
        "reasons": {"budget-spent": 1, "confidence-too-low": 1, "no-hotlist-match": 2},
    }
    assert counts.flush(at(41)) == ()


def test_plates_found_in_frames_are_counted_apart_from_sightings():
    counts = Counts()
    for plates in (0, 2, 1):
        counts.saw(plates, at())
    [hour] = counts.close()
    assert (hour["seen"], hour["sightings"]) == (3, 0)


def test_a_quiet_hour_is_counted_as_zeros():
    counts = Counts()
    assert counts.flush(at()) == ()
    [hour] = counts.flush(at(60))
    assert (hour["hour"], hour["sightings"], hour["reasons"]) == ("2027-01-15T10:00:00.000Z", 0, {})


def test_hours_when_the_camera_slept_are_not_invented():
    counts = Counts()
    counts.add(MISS, at())
    assert [hour["hour"][11:13] for hour in counts.flush(at(300))] == ["10"]


def test_sightings_of_the_next_hour_stay_apart():
    counts = Counts()
    counts.add(MISS, at())
    counts.add(MISS, at(60))
    assert [hour["sightings"] for hour in counts.flush(at(60))] == [1]
    assert [hour["sightings"] for hour in counts.close()] == [1]


def test_a_clock_that_is_set_back_loses_no_count():
    counts = Counts()
    counts.add(MISS, at(120))
    first = counts.flush(at())
    counts.add(MISS, at())
    assert sum(hour["sightings"] for hour in (*first, *counts.close())) == 2


def test_a_refused_release_is_counted_beside_its_sighting():
    counts = Counts()
    counts.add(HIT, at())
    counts.refuse(Reason.OUTBOX_FULL, at())
    [hour] = counts.close()
    assert (hour["sightings"], hour["released"], hour["reasons"]) == (1, 1, {"outbox-full": 1})


def test_what_goes_into_the_log_is_numbers_only():
    counts = Counts()
    counts.add(HIT, at())
    [hour] = counts.close()
    assert set(json.loads(canonical(hour))) == {
        "hour",
        "seen",
        "unreadable",
        "sightings",
        "released",
        "dropped",
        "tests",
        "reasons",
    }
