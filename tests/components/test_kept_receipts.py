"""What a power cut, a crash or a stranger's hand leaves of deliver's receipts, and what its next
start makes of it.
"""

import os

import pytest

from agent.errors import StorageError
from agent.storage import mailbox
from agent.storage.kept_receipts import KeptReceipts
from agent.storage.mailbox import ReceiptBox
from tests.support.audit_logs import open_log

ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))
MOST = 100


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "receipts"


def kept(log, folder, most=MOST):
    """As deliver's start makes it."""
    receipts = KeptReceipts(folder, log, most)
    receipts.recover()
    return receipts


def put(receipts, *read_ids):
    receipts.put_all({one: one.encode() for one in read_ids}, [{"read": one} for one in read_ids])


def rows(log):
    return sorted(str(one) for (one,) in log.query("SELECT read_id FROM receipt"))


def test_many_receipts_wait_for_the_disk_once(tmp_path, folder, monkeypatch):
    """SQLite syncs by itself; no file is synced singly, whatever their number."""
    with open_log(tmp_path / "log") as log:
        receipts = kept(log, folder)
        put(receipts, f"{9:032x}")  # makes the copy of the checkpoint, which is due once a second
        synced = []
        monkeypatch.setattr(os, "fsync", synced.append)
        put(receipts, ONE, TWO, THREE)
    assert len(synced) <= 2  # log closed: the checkpoint's copy and its folder


@pytest.mark.parametrize("left", [None, b"", b"torn"], ids=["gone", "emptied", "torn"])
def test_what_a_power_cut_took_is_written_again(tmp_path, folder, left):
    with open_log(tmp_path / "log") as log:
        put(kept(log, folder), ONE, TWO)
        path = folder / f"{ONE}.receipt"
        path.unlink()
        if left is not None:
            path.write_bytes(left)
        kept(log, folder)
        assert path.read_bytes() == ONE.encode()
        assert log.size == 2  # no leaf twice


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path, folder):
    with open_log(tmp_path / "log") as log:
        put(kept(log, folder), ONE)
        other = tmp_path / "other"
        other.write_bytes(b"untouched")
        (folder / f"{ONE}.receipt").unlink()
        (folder / f"{ONE}.receipt").symlink_to(other)
        kept(log, folder)
        assert (other.read_bytes(), (folder / f"{ONE}.receipt").is_symlink()) == (
            b"untouched",
            False,
        )


def test_a_crash_between_leaf_and_file_loses_nothing(tmp_path, folder, monkeypatch):
    with open_log(tmp_path / "log") as log:
        receipts = kept(log, folder)

        def killed(*_arguments):
            raise KeyboardInterrupt

        with monkeypatch.context() as patched:
            patched.setattr(mailbox, "write_whole", killed)
            with pytest.raises(KeyboardInterrupt):
                put(receipts, ONE)
        assert (log.size, list(ReceiptBox(folder, MOST).pending())) == (1, [])
        kept(log, folder)
        assert list(ReceiptBox(folder, MOST).pending()) == [ONE]


def test_no_receipt_is_seen_whose_leaf_could_not_be_written(tmp_path, folder, monkeypatch):
    with open_log(tmp_path / "log") as log:
        receipts = kept(log, folder)

        def full(*_arguments, **_options):
            raise StorageError("the disk is full")

        with monkeypatch.context() as patched:
            patched.setattr(log, "append_all", full)
            with pytest.raises(StorageError):
                put(receipts, ONE)
        assert (log.size, rows(log), list(folder.iterdir())) == (0, [], [])


def test_rows_go_with_the_next_leaves_once_their_read_has_left(tmp_path, folder):
    with open_log(tmp_path / "log") as log:
        receipts = kept(log, folder)
        put(receipts, ONE, TWO)
        receipts.remove([ONE])
        put(receipts, THREE)
        assert rows(log) == [TWO, THREE]
        put(receipts, ONE)  # the same read again: a late repetition
        assert rows(log) == [ONE, TWO, THREE]


def test_a_receipt_beyond_a_limit_that_was_lowered_is_left_out(tmp_path, folder):
    with open_log(tmp_path / "log") as log:
        put(kept(log, folder), ONE)
        (folder / f"{ONE}.receipt").unlink()
        assert list(kept(log, folder, most=10).pending()) == []
