"""The audit log when something fails: nothing stays open, nothing is half-done, and a log that was
shortened does not open although every file is well formed. And what else its writer is asked.
"""

import sqlite3
from pathlib import Path

import pytest

from agent.core.log.checkpoint import parse_body, parse_note
from agent.core.log.merkle import root_of
from agent.errors import LogRefusedError, StorageError
from agent.storage import audit_log
from agent.storage.audit_log import CHECKPOINT_EVERY_S
from tests.support.audit_logs import OTHER_KEY, filled_log, open_log, rows, tamper

DESCRIPTORS = Path("/proc/self/fd")


def files_open():
    return len(list(DESCRIPTORS.iterdir()))


def test_a_log_that_does_not_open_leaves_no_file_open_and_no_lock(tmp_path):
    filled_log(tmp_path)
    before = files_open()
    with pytest.raises(LogRefusedError) as held:  # it keeps all that was on the stack
        open_log(tmp_path, key=OTHER_KEY)
    assert files_open() == before
    assert held.value.reason == "checkpoint-invalid"
    tamper(tmp_path, "DELETE FROM leaf")
    with pytest.raises(LogRefusedError) as held:
        open_log(tmp_path)
    assert files_open() == before
    assert held.value.reason == "log-truncated"


def test_a_second_writer_leaves_no_file_open(tmp_path):
    with open_log(tmp_path):
        before = files_open()
        with pytest.raises(StorageError, match="another process is writing this log") as held:
            open_log(tmp_path)
        assert files_open() == before
        assert held.value.where == str(tmp_path / "log.sqlite")


def test_a_closed_log_holds_no_file(tmp_path):
    before = files_open()
    log = open_log(tmp_path)
    log.append("start", {})
    log.close()
    log.close()
    assert files_open() == before


def test_a_database_that_cannot_be_closed_is_a_storage_error_and_the_lock_is_free(tmp_path):
    log, before = open_log(tmp_path), files_open()

    class Stuck:
        def close(self):
            raise sqlite3.OperationalError("unable to close")

    honest, log._connection = log._connection, Stuck()
    with pytest.raises(StorageError, match="unable to close"):
        log.close()
    honest.close()
    assert files_open() < before
    open_log(tmp_path).close()


def test_a_new_log_s_name_is_on_the_disk_before_its_first_leaf(tmp_path, monkeypatch):
    synced = []
    monkeypatch.setattr(
        audit_log,
        "sync_folder",
        lambda folder: synced.append((folder, (folder / "log.sqlite").exists())),
    )
    open_log(tmp_path / "watch").close()
    assert synced == [(tmp_path / "watch", True)]


def test_leaves_cut_off_are_missed_by_the_database_s_own_checkpoints(tmp_path):
    """Also where the file beside was taken away: what is left is well formed, and signed."""
    filled_log(tmp_path)
    (tmp_path / "checkpoint").unlink()
    tamper(tmp_path, "DELETE FROM leaf WHERE n > 3")
    with pytest.raises(LogRefusedError, match="12 leaves were signed and 4 are there") as refused:
        open_log(tmp_path)
    assert refused.value.reason == "log-truncated"


def test_what_also_fails_after_the_database_gave_up_by_itself_is_still_one_error(tmp_path):
    """SQLite ends some transactions on its own, as on a full disk."""

    def give_up(connection, _leaf):
        connection.execute("ROLLBACK")
        raise sqlite3.OperationalError("database or disk is full")

    with open_log(tmp_path) as log:
        with pytest.raises(StorageError, match="the disk is full"):
            log.append("start", {}, also=give_up)
        assert (log.size, log.append("start", {})) == (0, 0)


def test_a_question_that_fails_is_a_storage_error(tmp_path):
    with open_log(tmp_path) as log, pytest.raises(StorageError, match="no such table: nowhere"):
        log.query("SELECT * FROM nowhere")


def test_several_tables_are_made_at_once(tmp_path):
    with open_log(tmp_path) as log:
        log.add_tables("CREATE TABLE one (x); CREATE TABLE two (x)")
        assert log.query("SELECT * FROM one, two") == []


def test_what_was_appended_is_counted(tmp_path):
    with open_log(tmp_path) as log:
        log.append("start", {})
        log.append_all("receipt", [{"outcome": "stored"}, {"outcome": "rejected"}])
        assert (log.tally.leaves, log.tally.rejected) == ({"start": 1, "receipt": 2}, 1)


def test_the_root_of_every_size_is_known_and_signed_with_lines_of_our_own(tmp_path):
    filled_log(tmp_path)
    leaves = [leaf for (leaf,) in rows(tmp_path, "SELECT hash FROM leaf ORDER BY n")]
    with open_log(tmp_path) as log:
        assert [log.root_at(size) for size in range(1, 13)] == [
            root_of(leaves[:size]) for size in range(1, 13)
        ]
        for size in (0, 13):
            with pytest.raises(LogRefusedError, match=f"no checkpoint for {size} leaves"):
                log.root_at(size)
        said = parse_body(parse_note(log.signed_with(("floor",))).signed)
        assert (said.size, said.root, said.extensions) == (12, root_of(leaves), ("floor",))


def test_the_file_beside_is_copied_once_a_second():
    assert CHECKPOINT_EVERY_S == 1
