"""The contract of ports.ReceiptBox, in memory and on disk, and what watch sees of it."""

import pytest

from agent.errors import StorageError
from agent.storage.kept_receipts import KeptReceipts
from agent.storage.mailbox import ReceiptBox
from tests.fakes.audit import FakeAuditLog
from tests.fakes.storage import FakeReceiptBox
from tests.support.audit_logs import open_log

ONE, TWO = f"{1:032x}", f"{2:032x}"
MOST = 100


class Both:
    """Deliver's side (`box`) and watch's (`seen`) of one folder, or of none."""

    def __init__(self, folder, log):
        self.log, self.folder = log, folder
        self.box = KeptReceipts(folder, log, MOST) if folder else FakeReceiptBox(log, MOST)
        self.seen = ReceiptBox(folder, MOST) if folder else self.box
        self.box.recover()

    def put(self, **receipts):
        """Each under its name, with a leaf."""
        self.box.put_all(receipts, [{"read": read_id} for read_id in receipts])


@pytest.fixture(params=["fake", "real"])
def both(request, tmp_path):
    if request.param == "fake":
        yield Both(None, FakeAuditLog())
        return
    with open_log(tmp_path / "log") as log:
        yield Both(tmp_path / "receipts", log)


def test_an_empty_box(both):
    assert (list(both.box.pending()), both.seen.untrusted_receipt(ONE)) == ([], None)
    assert list(both.seen.strangers()) == []


def test_what_was_put_can_be_read_and_has_its_leaf(both):
    both.put(**{ONE: b"first", TWO: b"second"})
    assert sorted(both.box.pending()) == [ONE, TWO]
    assert (both.seen.untrusted_receipt(ONE), both.seen.untrusted_receipt(TWO)) == (
        b"first",
        b"second",
    )
    assert both.log.size == 2


def test_watch_is_told_of_the_receipts_that_it_waits_for(both):
    assert list(both.seen.arrived([ONE, TWO])) == []
    both.put(**{TWO: b"second", "e" * 32: b"for a read that left"})
    assert list(both.seen.arrived([ONE, TWO])) == [TWO]


def test_a_second_receipt_replaces_the_first(both):
    both.put(**{ONE: b"first"})
    both.put(**{ONE: b"second"})
    assert (list(both.box.pending()), both.seen.untrusted_receipt(ONE)) == ([ONE], b"second")


def test_removing_is_harmless_when_it_is_gone(both):
    both.put(**{ONE: b"first"})
    both.box.remove([ONE])
    assert (list(both.box.pending()), both.seen.untrusted_receipt(ONE)) == ([], None)
    both.box.remove([ONE, TWO])


def test_one_oversize_receipt_keeps_all_of_them_out_and_leaves_no_leaf(both):
    with pytest.raises(StorageError):
        both.put(**{ONE: b"x", TWO: b"x" * (MOST + 1)})
    assert (list(both.box.pending()), both.log.size) == ([], 0)


def test_an_oversize_receipt_is_not_read_either(both):
    both.put(**{ONE: b"x"})
    if both.folder is None:
        both.box.receipts[ONE] = b"x" * (MOST + 1)
    else:
        (both.folder / f"{ONE}.receipt").write_bytes(b"x" * (MOST + 1))
    with pytest.raises(StorageError):
        both.seen.untrusted_receipt(ONE)


def test_a_name_that_is_no_read_id_reaches_no_file(both):
    name = "../outbox/" + ONE
    calls = (
        both.seen.untrusted_receipt,
        lambda odd: both.box.remove([odd]),
        lambda odd: both.put(**{odd: b""}),
    )
    for call in calls:
        with pytest.raises(StorageError, match="not a read id"):
            call(name)
