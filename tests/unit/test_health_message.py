"""What a camera tells of its health: coarse, bounded, of one spelling, and never mistaken for a
checkpoint.
"""

import json
import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.camera.camera_event import Alarm
from agent.core.camera.health.health_message import (
    HEADER,
    MAX_MESSAGE_BYTES,
    MOST,
    MOST_HOURS,
    HealthMessage,
    format_text,
    parse_text,
)
from agent.core.camera.health.health_report import Health, Reading, coarse, parse_hour, to_the_hour
from agent.core.camera.health.watch_facts import MAX_BYTES, WatchFacts, format_facts
from agent.core.camera.health.watch_facts import parse_facts as parse_watch
from agent.core.log.checkpoint import parse_body
from agent.core.reasons import Reason
from agent.core.text.strict_json import canonical
from agent.core.time.instant import ClockTrust
from agent.errors import EnvelopeRefusedError

AT = datetime(2027, 1, 15, 12, 34, 56, tzinfo=UTC)
WELL = Health(
    *("cam-01", "0.1.0", AT, frozenset({Alarm.DIRTY, Alarm.DARK}), 61.7, False, True, 26.9, False),
    *(0.38, 0, 0, True, ("outbox",), 7, 30.4, ClockTrust.TRUSTED, Reason.NOT_WITNESSED, 0.0),
    Reading.WORSE,
)
MESSAGE = HealthMessage(17, 2, WELL)


def altered(**members):
    """A message's text with other members; `...` takes one out."""
    table = json.loads(format_text(MESSAGE)[len(HEADER) :]) | members
    return HEADER + canonical({name: one for name, one in table.items() if one is not ...}) + b"\n"


def test_what_is_told_comes_back_and_coarse_things_stay_as_coarse():
    found = parse_text(format_text(MESSAGE))
    assert (found.number, found.unsent) == (17, 2)
    assert coarse(found.health) == coarse(WELL)
    assert (found.health.temperature_c, found.health.at.minute) == (60, 0)
    assert format_text(found) == format_text(MESSAGE)


moments = st.datetimes(datetime(2021, 1, 1), datetime(2199, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
hours = st.none() | st.floats(-5, MOST_HOURS)
healths = st.builds(
    Health,
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9-]{0,31}\Z"),
    st.text(string.ascii_letters + string.digits + ".+~-", min_size=1, max_size=32),
    moments,
    st.none() | st.frozensets(st.sampled_from(Alarm)),
    st.none() | st.floats(-50, 140),
    *(st.none() | st.booleans(),) * 2,
    hours,
    st.none() | st.booleans(),
    st.none() | st.floats(0, 3),
    *(st.none() | st.integers(0, 64),) * 2,
    st.none() | st.booleans(),
    st.lists(st.sampled_from(["outbox", "watch", "delivery"]), unique=True).map(tuple),
    st.none() | st.integers(0, MOST),
    hours,
    st.none() | st.sampled_from(ClockTrust),
    st.none() | st.sampled_from(Reason),
    hours,
    st.none() | st.sampled_from(Reading),
)


@given(st.integers(1, MOST), st.integers(0, MOST), healths)
def test_whatever_a_camera_may_say_fits_and_comes_back(number, unsent, health):
    text = format_text(HealthMessage(number, unsent, health))
    found = parse_text(text)
    assert coarse(found.health) == coarse(health)
    assert len(text) < MAX_MESSAGE_BYTES - 400  # a name of 200 characters and its signature


@given(st.binary(max_size=300))
def test_rubbish_is_refused_and_nothing_else(data):
    for untrusted in (data, HEADER + data):
        with pytest.raises(EnvelopeRefusedError):
            parse_text(untrusted)


@pytest.mark.parametrize(
    "members",
    [
        {"at": "2027-01-15T12:34:00Z"},
        {"at": "2027-01-15T12:00:00.000Z"},
        {"at": "2027-01-15T12:00:00+00:00"},
        {"at": "2019-01-15T12:00:00Z"},
        {"at": "2027-13-15T12:00:00Z"},
        {"temperature_c": 61},
        {"temperature_c": 60.0},
        {"temperature_c": 5_000},
        {"outbox_filled": 0.38},
        {"outbox_filled": 1.1},
        {"hotlist_age_h": 26.9},
        {"hotlist_age_h": -1},
        {"alarms": ["dirty", "dark"]},
        {"alarms": ["dark", "dark"]},
        {"alarms": ["TST0042"]},
        {"alarms": "dark"},
        {"closed": "TST0042"},
        {"closed": 7},
        {"clock": "somewhat"},
        {"reading": True},
        {"problems": ["TST0042"]},
        {"problems": [f"part_{letter}" for letter in "abcdefghi"]},
        {"throttled": 1},
        {"version": "0.1.0 TST0042"},
        {"version": "v" * 33},
        {"camera": "cam/1"},
        {"n": 0},
        {"n": True},
        {"n": MOST + 1},
        {"unsent": -1},
        {"vehicles": 3},
        {"n": ...},
    ],
)
def test_what_is_finer_longer_or_unknown_is_refused(members):
    with pytest.raises(EnvelopeRefusedError) as refusal:
        parse_text(altered(**members))
    assert refusal.value.reason == Reason.MALFORMED
    assert "TST0042" not in str(refusal.value)


def test_one_spelling_only():
    """Spaces and the order of members could tell something beside what is told."""
    table = json.loads(format_text(MESSAGE)[len(HEADER) :])
    for odd in (
        HEADER + json.dumps(table).encode() + b"\n",
        HEADER + canonical(table) + b"\n\n",
        HEADER + canonical(table),
        HEADER + canonical(table).replace(b'"n":17', b'"n":17.0') + b"\n",
    ):
        with pytest.raises(EnvelopeRefusedError):
            parse_text(odd)


def test_a_health_message_is_never_a_checkpoint_nor_the_other_way_round():
    with pytest.raises(ValueError, match="at least three lines|plain decimal"):
        parse_body(format_text(MESSAGE))
    with pytest.raises(EnvelopeRefusedError):
        parse_text(b"platewarden/cam-01/deliver\n7\n" + b"A" * 43 + b"=\n")


def test_a_clock_that_was_put_back_makes_nothing_younger_than_new():
    told = coarse(replace(WELL, hotlist_age_h=-3.0, policy_age_h=-0.5, watch_silent_h=-9.0))
    assert (told["hotlist_age_h"], told["policy_age_h"], told["watch_silent_h"]) == (0, 0, 0)


@given(moments)
def test_hours_come_back(at):
    assert parse_hour(to_the_hour(at)) == at.replace(minute=0, second=0, microsecond=0)


FACTS = WatchFacts(
    *(AT, frozenset({Alarm.MOVED}), 12, False, ClockTrust.OS, Reason.BUNDLE_LAPSED),
    Reading.AS_PROMISED,
)


def test_what_watch_tells_comes_back_to_the_hour():
    found = parse_watch(format_facts(FACTS))
    assert found == replace(FACTS, at=AT - timedelta(minutes=34, seconds=56))
    bare = replace(FACTS, alarms=frozenset(), hotlist_age_h=None, closed=None, reading=None)
    assert parse_watch(format_facts(bare)) == replace(bare, at=found.at)
    everything = replace(FACTS, alarms=frozenset(Alarm), hotlist_age_h=MOST_HOURS)
    assert len(format_facts(everything)) < MAX_BYTES


@pytest.mark.parametrize(
    "members",
    [
        {"at": "2027-01-15T12:34:56.000Z"},
        {"alarms": ["TST0042"]},
        {"hotlist_age_h": 1.5},
        {"hotlist_stale": None},
        {"clock": None},
        {"closed": "TST0042"},
        {"reading": "well"},
        {"seen": 12},
    ],
)
def test_watch_may_say_nothing_else(members):
    """Mitigates against: a watch that would tell a plate by this way."""
    table = json.loads(format_facts(FACTS)) | members
    with pytest.raises(EnvelopeRefusedError) as refusal:
        parse_watch(json.dumps(table).encode())
    assert "TST0042" not in str(refusal.value)
