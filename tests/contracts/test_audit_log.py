"""The contract of ports.AuditLog, over the log in memory and the real one."""

import json

import pytest

from agent.core.reading.plate_text import PlateText
from tests.fakes.audit import FakeAuditLog
from tests.support.audit_logs import TickingClock, open_log


@pytest.fixture(params=["fake", "real"])
def log(request, tmp_path):
    log = (
        FakeAuditLog(TickingClock().now)
        if request.param == "fake"
        else open_log(tmp_path / "watch")
    )
    yield log
    log.close()


def leaves(log):
    if isinstance(log, FakeAuditLog):
        return [details for _, details in log.leaves]
    return [json.loads(details) for (details,) in log.query("SELECT details FROM leaf ORDER BY n")]


def test_leaves_are_numbered_as_they_come(log):
    assert [log.append(kind, {}) for kind in ("start", "refusal", "stop")] == [0, 1, 2]


def test_number_kind_and_time_are_set_by_the_log(log):
    log.append("start", {"version": "1", "n": 5, "kind": "x", "at": "y"})
    assert leaves(log) == [
        {"version": "1", "n": 0, "kind": "start", "at": "2027-01-15T12:00:01.000Z", "clock": "os"}
    ]


def test_a_stranger_s_text_is_cut_and_cleaned(log):
    log.append("refusal", {"name": "\x1b[2J" + "x" * 1_000})
    [details] = leaves(log)
    assert len(details["name"]) == 200
    assert details["name"].isprintable()


def test_a_plate_cannot_be_a_detail(log):
    with pytest.raises(TypeError):
        log.append("refusal", {"plate": PlateText("TST0042")})
    assert leaves(log) == []


def test_closing_twice_is_harmless(log):
    log.append("stop", {})
    log.close()
    log.close()
