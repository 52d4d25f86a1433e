"""Names and ages in a mailbox: which file is a read's, which a stranger's, which its writer's own;
and what the folder of receipts keeps, shows and clears.
"""

import os
import stat

import pytest

from agent.core.log.floor import FILE_NAME as FLOOR
from agent.errors import StorageError
from agent.storage.mailbox import Folder, OutboxReader, ReceiptBox

ONE, TWO, THREE = (f"{number:032x}" for number in (1, 2, 3))


def write(folder, *names):
    for name in names:
        (folder / name).write_bytes(b"x")


def test_only_a_floor_and_what_is_unfinished_are_passed_over(tmp_path):
    strange = [ONE, ".hidden", "left.part", "sealed"]
    write(tmp_path, f"{TWO}.sealed", FLOOR, f".{THREE}.sealed.part", *strange)
    reader = OutboxReader(tmp_path, 100)
    assert reader.pending() == (TWO,)
    assert reader.strangers() == tuple(sorted(strange))


def test_what_belongs_beside_receipts_is_no_stranger_and_no_receipt(tmp_path):
    """A stranger is told to the operator, each time."""
    strange = [f"{ONE}.outcomes", TWO, ".outcome", "notes.outcome", "watch.grown"]
    beside = [f"{ONE}.outcome", "watch.growth", "watch.health", "watch.collected", FLOOR]
    write(tmp_path, f"{THREE}.receipt", *beside, *strange)
    box = ReceiptBox(tmp_path, 100)
    assert box.strangers() == tuple(sorted(strange))
    alone = Folder(tmp_path, ".receipt", 100).listing()
    assert alone.read_ids == (THREE,)
    assert alone.strangers == tuple(sorted([*strange, f"{ONE}.outcome"]))


def test_a_read_keeps_the_age_that_it_was_first_seen_with(tmp_path):
    """Whoever writes to the folder cannot put others behind; and none is asked for twice."""
    write(tmp_path, f"{TWO}.sealed", f"{ONE}.sealed")
    os.utime(tmp_path / f"{TWO}.sealed", ns=(0, 10))
    os.utime(tmp_path / f"{ONE}.sealed", ns=(0, 20))
    reader = OutboxReader(tmp_path, 100)
    assert reader.pending() == (TWO, ONE)
    os.utime(tmp_path / f"{TWO}.sealed", ns=(0, 30))
    write(tmp_path, f"{THREE}.sealed")
    os.utime(tmp_path / f"{THREE}.sealed", ns=(0, 15))
    os.utime(tmp_path, ns=(0, 99))  # a tick later
    assert reader.pending() == (TWO, THREE, ONE)


def test_a_writer_s_parts_are_only_those(tmp_path):
    write(tmp_path, f".{ONE}.receipt.ab12.part", "left.part", ".hidden", f"{ONE}.receipt")
    box = ReceiptBox(tmp_path, 100)
    box.clear()
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {f"{ONE}.receipt", ".hidden", "left.part"}


def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    write(tmp_path, "file")
    with pytest.raises(StorageError, match="file: cannot list the folder: not a directory"):
        Folder(tmp_path / "file", ".receipt", 100).parts()


@pytest.mark.parametrize("begin", [ReceiptBox.clear, lambda box: box.show({})])
def test_the_folder_is_made_for_the_group(tmp_path, begin):
    begin(ReceiptBox(tmp_path / "receipts", 100))
    assert stat.S_IMODE((tmp_path / "receipts").stat().st_mode) == 0o750


def test_a_receipt_of_as_many_bytes_as_are_kept_is_kept(tmp_path):
    box = ReceiptBox(tmp_path / "receipts", 100)
    box.put(ONE, b"r" * 100)
    assert box.untrusted_receipt(ONE) == b"r" * 100
    with pytest.raises(StorageError, match="a receipt of 101 bytes; at most 100 are kept"):
        box.check(TWO, b"r" * 101)
