"""The outbox's ledger and what its leaves say: every member of every leaf, bounds at the byte, and
failures in the middle of a release.
"""

import errno
import json
from pathlib import Path

import pytest

from agent.core.text.rfc3339 import rfc3339
from agent.errors import RefusedError, StorageError
from agent.storage import outbox as outbox_module
from agent.storage.outbox import Outbox, release_details
from tests.support.audit_logs import open_log, rows, sealed_read, tamper

pytestmark = pytest.mark.usefixtures("quick_disk")
ONE, TWO = f"{1:032x}", f"{2:032x}"


@pytest.fixture
def log(tmp_path):
    with open_log(tmp_path / "watch") as log:
        yield log


@pytest.fixture
def outbox(tmp_path, log):
    return Outbox(tmp_path / "outbox", log, max_reads=2, max_bytes=1_000)


def last_leaf(log):
    """What the newest leaf says, but for its number and time."""
    [(details,)] = log.query("SELECT details FROM leaf ORDER BY n DESC LIMIT 1")
    said = json.loads(details)
    return {name: said[name] for name in said.keys() - {"n", "at", "clock"}}


def names(tmp_path):
    return sorted(path.name for path in (tmp_path / "outbox").iterdir())


def test_a_release_says_everything_but_what_is_sealed():
    tags = sealed_read(1).tags
    assert release_details(tags, "ab" * 32) == {
        "read": tags.read_id,
        "recipient": tags.recipient,
        "rule": tags.rule,
        "sequence": tags.sequence,
        "purpose": tags.purpose,
        "category": tags.category,
        "match": tags.match.value,
        "deadline": rfc3339(tags.deadline),
        "policy": tags.policy_name,
        "policy_version": tags.policy_version,
        "policy_digest": tags.policy_digest,
        "sha256": "ab" * 32,
    }


def test_an_overflow_says_whose_read_was_not_released(outbox, log):
    for number in (1, 2):
        outbox.put(sealed_read(number))
    with pytest.raises(RefusedError):
        outbox.put(sealed_read(3))
    tags = sealed_read(3).tags
    assert last_leaf(log) == {
        "kind": "overflow",
        "recipient": tags.recipient,
        "rule": tags.rule,
        "limit_reads": 2,
    }


def test_a_removal_says_of_which_read(outbox, log):
    outbox.put(sealed_read(1))
    outbox.remove(ONE, "receipt", {"outcome": "stored"})
    assert last_leaf(log) == {"kind": "receipt", "outcome": "stored", "read": ONE}


@pytest.mark.parametrize(
    ("left", "what"),
    [
        (None, "the file is gone"),
        (b"other", "the file is not the one that was released"),
        (b"o" * 1_001, "the file is not the one that was released"),
        ("link", "the file is not the one that was released"),
    ],
)
def test_a_lost_read_says_what_became_of_it(tmp_path, outbox, log, left, what):
    outbox.put(sealed_read(1))
    file = tmp_path / "outbox" / f"{ONE}.sealed"
    file.unlink()
    if isinstance(left, bytes):
        file.write_bytes(left)
    elif left:
        file.symlink_to("/etc/passwd")
    assert outbox.recover() == [ONE]
    assert last_leaf(log) == {"kind": "lost", "what": what, "read": ONE}


def test_reads_that_cannot_be_judged_are_counted_anew_each_time(tmp_path):
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        for number in (1, 2):
            outbox.put(sealed_read(number))
    tamper(tmp_path / "watch", "UPDATE outbox_read SET tags = CAST('{}' AS BLOB)")
    with open_log(tmp_path / "watch") as log:
        outbox = Outbox(tmp_path / "outbox", log, 5, 1_000)
        for _ in range(2):
            outbox.recover()
            assert last_leaf(log) == {
                "kind": "refusal",
                "reason": "malformed",
                "where": "outbox",
                "what": "2 reads wait whose tags cannot be read",
            }
            assert not outbox.waiting()


def test_a_read_of_as_many_bytes_as_are_kept_is_kept_and_found_again(tmp_path, outbox):
    outbox.put(sealed_read(1, size=1_000))
    assert outbox.recover() == []
    assert outbox.pending() == [ONE]
    with pytest.raises(StorageError, match="a sealed read of 1001 bytes; at most 1000 are kept"):
        outbox.put(sealed_read(2, size=1_001))
    assert names(tmp_path) == [f"{ONE}.sealed"]


def test_one_id_is_released_once_and_that_is_said(outbox):
    outbox.put(sealed_read(1))
    with pytest.raises(StorageError, match="a read of this id was released before"):
        outbox.put(sealed_read(1, 2))


def test_a_leaf_that_cannot_be_written_leaves_no_part(tmp_path, outbox, log, monkeypatch):
    def full(*_arguments, **_keywords):
        raise StorageError("the disk is full", where=tmp_path)

    monkeypatch.setattr(log, "append", full)
    with pytest.raises(StorageError, match="the disk is full"):
        outbox.put(sealed_read(1))
    assert names(tmp_path) == []


@pytest.mark.parametrize("change", ["bytes", "removed"])
def test_a_part_that_its_leaf_does_not_speak_for_is_never_published(
    tmp_path, outbox, monkeypatch, change
):
    """Deliver would see it, if only for an instant."""

    def crash(*_arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(outbox_module, "publish", crash)
    with pytest.raises(KeyboardInterrupt):
        outbox.put(sealed_read(1))
    if change == "bytes":
        (tmp_path / "outbox" / f".{ONE}.sealed.part").write_bytes(b"other bytes")
    else:
        tamper(tmp_path / "watch", "UPDATE outbox_read SET removed = 0")
    monkeypatch.setattr(outbox_module, "publish", lambda *of: pytest.fail(f"published: {of}"))
    outbox.recover()
    assert names(tmp_path) == []


def test_a_removal_that_a_crash_left_is_forgotten_with_the_next_leaf(tmp_path, outbox):
    outbox.put(sealed_read(1))
    tamper(tmp_path / "watch", "UPDATE outbox_read SET removed = 0")
    assert outbox.recover() == []
    outbox.put(sealed_read(2))
    assert rows(tmp_path / "watch", "SELECT read_id FROM outbox_read") == [(TWO,)]


def test_a_disk_that_fails_is_not_a_read_that_is_lost(outbox, log, monkeypatch):
    outbox.put(sealed_read(1))

    def failing(_path):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "lstat", failing)
    with pytest.raises(StorageError, match="cannot examine: input/output error"):
        outbox.recover()
    assert last_leaf(log)["kind"] == "release"
