"""What `status` counts of the last hours: the log's own numbers, and nothing but numbers of a log
that it has not verified.
"""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest

from agent.core.log.leaf import canonical
from agent.errors import StorageError
from agent.storage import log_reader
from agent.storage.log_reader import recent
from tests.fakes.clock import FakeClock
from tests.support.audit_logs import open_log

HOUR = {"sightings": 12, "unreadable": 1, "released": 3, "dropped": 9}
SINCE = "2027-01-15T12:00:00.000Z"


@pytest.fixture
def log(tmp_path):
    """A day of it: the first hour before SINCE, two after."""
    clock = FakeClock(datetime(2027, 1, 15, 11, tzinfo=UTC))
    with open_log(tmp_path, clock=clock) as log:
        for _ in range(3):
            log.append("release", {})
            log.append("receipt", {"outcome": "stored"})
            log.append("counts", {**HOUR, "reasons": {"no-hotlist-match": 9}})
            clock.advance(3600)
    return tmp_path / "log.sqlite"


def test_what_is_older_is_not_counted(log):
    found = recent(log, SINCE)
    assert (found.sightings, found.leaves["release"], found.leaves["receipt"]) == (24, 2, 2)
    assert (found.listed(), found.reasons) == (6, {"no-hotlist-match": 18})


def test_a_long_log_is_counted_from_its_newest_leaves(log, monkeypatch):
    monkeypatch.setattr(log_reader, "MOST_RECENT", 3)
    assert recent(log, "2020-01-01T00:00:00.000Z").sightings == 12


def test_what_a_stranger_wrote_into_it_is_no_text_and_no_number(log):
    odd = canonical(
        {"at": "2027-01-15T13:30:00.000Z", "kind": "\x1b[2J", "reasons": {"TST0042": 1}}
    )
    listed = canonical({"at": "2027-01-15T13:30:00.000Z", "kind": ["TST0042"]})
    with closing(sqlite3.connect(log)) as connection, connection:
        for number, details in enumerate((odd, listed, b"[]", b"\xff", odd[:-1]), 100):
            connection.execute(
                "INSERT INTO leaf (n, hash, details) VALUES (?, ?, ?)", (number, bytes(32), details)
            )
    found = recent(log, SINCE)
    assert "TST0042" not in str(found)
    assert (found.sightings, set(found.leaves)) == (24, {"release", "receipt", "counts"})


def test_no_log_says_so(tmp_path):
    (tmp_path / "log.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError):
        recent(tmp_path / "log.sqlite", SINCE)
