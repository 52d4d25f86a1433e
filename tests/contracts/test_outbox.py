"""The contract of ports.Outbox, over the outbox in memory and the one on disk."""

import hashlib

import pytest

from agent.core.reasons import Reason
from agent.errors import RefusedError, StorageError
from agent.storage.mailbox import OutboxReader
from agent.storage.outbox import Outbox
from tests.fakes.audit import FakeAuditLog
from tests.fakes.storage import FakeOutbox
from tests.support.audit_logs import open_log, sealed_read

MAX_READS, MAX_BYTES = 4, 1_000
ONE, TWO = f"{1:032x}", f"{2:032x}"


class Box:
    """An outbox, and what a test needs to see and do around it."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        self.log = FakeAuditLog() if kind == "fake" else open_log(folder / "watch")
        self.outbox = (
            FakeOutbox(self.log, MAX_READS, MAX_BYTES)
            if kind == "fake"
            else Outbox(folder / "outbox", self.log, MAX_READS, MAX_BYTES)
        )
        # as deliver sees it
        self.reader = self.outbox if kind == "fake" else OutboxReader(folder / "outbox", MAX_BYTES)

    def leaf_kinds(self):
        if self.kind == "fake":
            return self.log.kinds()
        return [
            kind for (kind,) in self.log.query("SELECT details ->> '$.kind' FROM leaf ORDER BY n")
        ]

    def overwrite(self, read_id, data):
        if self.kind == "fake":
            self.outbox.wires[read_id] = data
        else:
            (self.folder / "outbox" / f"{read_id}.sealed").write_bytes(data)

    def plant(self, name):
        if self.kind == "fake":
            self.outbox.odd_names.append(name)
        else:
            (self.folder / "outbox" / name).write_bytes(b"x")


@pytest.fixture(params=["fake", "real"])
def box(request, tmp_path):
    box = Box(request.param, tmp_path)
    yield box
    box.log.close()


def test_an_empty_outbox(box):
    assert (
        list(box.outbox.pending()),
        box.reader.untrusted_wire(ONE),
        list(box.reader.strangers()),
    ) == ([], None, [])
    assert list(box.outbox.recover()) == []


def test_what_was_put_can_be_read(box):
    box.outbox.put(sealed_read(1))
    assert list(box.outbox.pending()) == [ONE]
    assert box.reader.untrusted_wire(ONE) == sealed_read(1).wire
    assert box.leaf_kinds() == ["release"]


def test_what_waits_is_known_with_its_tags_and_digest(box):
    sealed = sealed_read(1)
    box.outbox.put(sealed)
    [(read_id, read)] = box.outbox.waiting().items()
    assert (read_id, read.tags) == (ONE, sealed.tags)
    assert read.wire_sha256 == hashlib.sha256(sealed.wire).hexdigest()
    box.outbox.remove(ONE, "receipt", {})
    assert not box.outbox.waiting()


def test_reads_come_in_order_of_release(box):
    for number, sequence in ((3, 1), (1, 2), (2, 3)):
        box.outbox.put(sealed_read(number, sequence))
    assert [int(read_id, 16) for read_id in box.outbox.pending()] == [3, 1, 2]


def test_sequence_numbers_count_per_recipient(box):
    assert box.outbox.next_sequence("a") == 1
    box.outbox.put(sealed_read(1, 1, "a"))
    box.outbox.put(sealed_read(2, 1, "b"))
    assert (
        box.outbox.next_sequence("a"),
        box.outbox.next_sequence("b"),
        box.outbox.next_sequence("c"),
    ) == (2, 2, 1)


def test_asking_for_a_number_does_not_use_it_up(box):
    assert [box.outbox.next_sequence("a") for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("sequence", [0, 2, -1])
def test_a_wrong_sequence_number_is_not_released(box, sequence):
    with pytest.raises(StorageError):
        box.outbox.put(sealed_read(1, sequence))
    assert (list(box.outbox.pending()), box.leaf_kinds()) == ([], [])


def test_a_read_id_is_released_once(box):
    box.outbox.put(sealed_read(1))
    with pytest.raises(StorageError):
        box.outbox.put(sealed_read(1, 2))
    assert box.reader.untrusted_wire(ONE) == sealed_read(1).wire


def test_a_removed_read_is_gone_and_its_number_is_not_given_again(box):
    box.outbox.put(sealed_read(1))
    box.outbox.remove(ONE, "receipt", {"outcome": "stored"})
    assert (list(box.outbox.pending()), box.reader.untrusted_wire(ONE)) == ([], None)
    assert box.leaf_kinds() == ["release", "receipt"]
    assert box.outbox.next_sequence("exampleville-pd") == 2


def test_what_is_not_there_cannot_be_removed_twice_or_at_all(box):
    box.outbox.put(sealed_read(1))
    box.outbox.remove(ONE, "expired", {})
    for read_id in (ONE, TWO):
        with pytest.raises(StorageError):
            box.outbox.remove(read_id, "receipt", {})
    assert box.leaf_kinds() == ["release", "expired"]


def test_a_full_outbox_refuses_logs_and_keeps_what_it_has(box):
    for number in range(1, MAX_READS + 1):
        box.outbox.put(sealed_read(number))
    with pytest.raises(RefusedError) as caught:
        box.outbox.put(sealed_read(MAX_READS + 1))
    assert caught.value.reason == Reason.OUTBOX_FULL
    assert box.leaf_kinds() == ["release"] * MAX_READS + ["overflow"]
    assert len(box.outbox.pending()) == MAX_READS
    assert box.outbox.next_sequence("exampleville-pd") == MAX_READS + 1


def test_an_oversize_read_is_refused_before_it_is_logged(box):
    with pytest.raises(StorageError):
        box.outbox.put(sealed_read(1, size=MAX_BYTES + 1))
    assert box.leaf_kinds() == []


def test_bytes_that_were_tampered_with_are_given_as_they_are_but_bounded(box):
    box.outbox.put(sealed_read(1))
    box.overwrite(ONE, b"other")
    assert box.reader.untrusted_wire(ONE) == b"other"
    box.overwrite(ONE, b"x" * (MAX_BYTES + 1))
    with pytest.raises(StorageError):
        box.reader.untrusted_wire(ONE)


def test_a_file_from_nowhere_is_a_stranger(box):
    box.plant("invoice.pdf")
    assert list(box.outbox.pending()) == []
    assert list(box.reader.strangers()) == ["invoice.pdf"]


def test_a_name_that_is_no_read_id_reaches_no_file(box):
    for call in (box.reader.untrusted_wire, lambda name: box.outbox.remove(name, "receipt", {})):
        with pytest.raises(StorageError, match="not a read id"):
            call("../watch/log.sqlite")
