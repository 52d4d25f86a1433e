"""What watch leaves about its camera is read back as it was, and nothing odd is believed."""

import json
from datetime import UTC, datetime

import pytest

from agent.core.camera.camera_event import Alarm
from agent.core.camera.camera_facts import CameraFacts, format_facts, parse_facts
from agent.core.camera.diagnosis_findings import told_by_watch as findings
from agent.errors import EnvelopeRefusedError

AT = datetime(2026, 11, 23, 2, 10, tzinfo=UTC)
FACTS = CameraFacts(AT, {Alarm.MOVED: AT, Alarm.DIRTY: AT}, "night", 3, 400, 20)


def test_written_and_read_back():
    assert parse_facts(format_facts(FACTS)) == FACTS


@pytest.mark.parametrize(
    "change",
    [
        {"alarms": {"sunny": "2026-11-23T02:10:00.000Z"}},
        {"profile": "dusk"},
        {"stalls": "3"},
        {"stalls": -1},
        {"at": "now"},
        {"frames": -1},
        {"dropped": "20"},
        {"alarms": []},
    ],
)
def test_anything_else_is_refused(change):
    table = json.loads(format_facts(FACTS)) | change
    with pytest.raises(EnvelopeRefusedError):
        parse_facts(json.dumps(table).encode())


def test_an_older_version_s_file_counts_no_frames():
    table = json.loads(format_facts(FACTS))
    del table["frames"], table["dropped"]
    found = parse_facts(json.dumps(table).encode())
    assert (found.frames, found.dropped, found.stalls) == (0, 0, 3)


def test_a_line_for_each_alarm_and_one_for_stalls_with_what_to_do():
    told = findings(FACTS)
    assert [(one.name, str(one.health)) for one in told] == [
        ("camera alarm", "warn"),
        ("camera alarm", "warn"),
        ("camera stalls", "warn"),
    ]
    assert all(one.fix for one in told)
    assert "dirty since 2026-11-23 02:10 UTC" in told[0].what


def test_without_any_it_is_well():
    (told,) = findings(CameraFacts(AT))
    assert str(told.health) == "ok"
