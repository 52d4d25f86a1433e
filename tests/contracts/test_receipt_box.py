"""The contract of ports.ReceiptBox, over the box in memory and the one on disk."""

import pytest

from agent.errors import StorageError
from agent.storage.mailbox import ReceiptBox
from tests.fakes.storage import FakeReceiptBox

ONE, TWO = f"{1:032x}", f"{2:032x}"


@pytest.fixture(params=["fake", "real"])
def box(request, tmp_path):
    return (
        FakeReceiptBox(max_bytes=100)
        if request.param == "fake"
        else ReceiptBox(tmp_path / "receipts", max_bytes=100)
    )


def test_an_empty_box(box):
    box.clear()
    assert (list(box.pending()), box.untrusted_receipt(ONE), list(box.strangers())) == (
        [],
        None,
        [],
    )


def test_what_was_put_can_be_read(box):
    box.put(ONE, b"first")
    box.put(TWO, b"second")
    assert sorted(box.pending()) == [ONE, TWO]
    assert (box.untrusted_receipt(ONE), box.untrusted_receipt(TWO)) == (b"first", b"second")


def test_watch_is_told_of_the_receipts_that_it_waits_for(box):
    assert list(box.arrived([ONE, TWO])) == []
    box.put(TWO, b"second")
    box.put("e" * 32, b"for a read that left")
    assert list(box.arrived([ONE, TWO])) == [TWO]


def test_a_second_receipt_replaces_the_first(box):
    box.put(ONE, b"first")
    box.put(ONE, b"second")
    assert (list(box.pending()), box.untrusted_receipt(ONE)) == ([ONE], b"second")


def test_removing_is_harmless_when_it_is_gone(box):
    box.put(ONE, b"first")
    box.remove(ONE)
    assert (list(box.pending()), box.untrusted_receipt(ONE)) == ([], None)
    box.clear()
    box.remove(ONE)


def test_an_oversize_receipt_is_not_kept(box):
    with pytest.raises(StorageError):
        box.put(ONE, b"x" * 101)
    assert list(box.pending()) == []


def test_an_oversize_receipt_is_not_read_either(box, tmp_path):
    box.put(ONE, b"x")
    if isinstance(box, FakeReceiptBox):
        box.receipts[ONE] = b"x" * 101
    else:
        (tmp_path / "receipts" / f"{ONE}.receipt").write_bytes(b"x" * 101)
    with pytest.raises(StorageError):
        box.untrusted_receipt(ONE)


def test_a_name_that_is_no_read_id_reaches_no_file(box):
    for call in (box.untrusted_receipt, box.remove, lambda name: box.put(name, b"")):
        with pytest.raises(StorageError, match="not a read id"):
            call("../outbox/" + ONE)
