"""Mailboxes in memory."""

import hashlib
from collections.abc import Collection, Mapping, Sequence

from agent.core.log.leaf import LeafKind
from agent.core.reasons import Reason
from agent.core.wire.sealed_read import ReleasedRead, SealedRead
from agent.errors import RefusedError, StorageError
from agent.storage.outbox import release_details
from tests.fakes.audit import FakeAuditLog


class FakeOutbox:
    """Implements ports.Outbox, and delivery.WaitingReads over the same files.

    `wires` may be tampered with by a test, as the disk may be by an attacker; `odd_names` are
    strangers.
    """

    def __init__(self, log=None, max_reads: int = 1_000, max_bytes: int = 65_536):
        self.log = log if log is not None else FakeAuditLog()
        self.wires: dict[str, bytes] = {}
        self.odd_names: list[str] = []
        self.full = False
        self._max_reads, self._max_bytes = max_reads, max_bytes
        self._sequences: dict[str, int] = {}
        self._known: set[str] = set()
        self._waiting: dict[str, ReleasedRead] = {}
        self.looks = 0

    def next_sequence(self, recipient: str) -> int:
        return self._sequences.get(recipient, 0) + 1

    def put(self, sealed: SealedRead) -> None:
        tags = sealed.tags
        _check_id(tags.read_id)
        if self.full:
            raise StorageError(
                "cannot write: no space left on device", where="outbox", fix="free space"
            )
        if len(sealed.wire) > self._max_bytes:
            raise StorageError("the sealed read is too large", where="outbox")
        if tags.read_id in self._known or tags.sequence != self.next_sequence(tags.recipient):
            raise StorageError("not the next sequence, or a read id used before", where="outbox")
        if len(self.wires) >= self._max_reads:
            self.log.append(
                LeafKind.OVERFLOW,
                {"recipient": tags.recipient, "rule": tags.rule, "limit_reads": self._max_reads},
            )
            raise RefusedError(Reason.OUTBOX_FULL, "the outbox is full", where="outbox")
        digest = hashlib.sha256(sealed.wire).hexdigest()
        self.log.append(LeafKind.RELEASE, release_details(tags, digest))
        self._waiting[tags.read_id] = ReleasedRead(tags, digest)
        self._sequences[tags.recipient] = tags.sequence
        self._known.add(tags.read_id)
        self.wires[tags.read_id] = sealed.wire

    def pending(self) -> Sequence[str]:
        return list(self.wires)

    def look_again(self) -> None:
        self.looks += 1

    def waiting(self) -> Mapping[str, ReleasedRead]:
        return self._waiting

    def strangers(self) -> Sequence[str]:
        return list(self.odd_names)

    def untrusted_wire(self, read_id: str) -> bytes | None:
        _check_id(read_id)
        wire = self.wires.get(read_id)
        if wire is not None and len(wire) > self._max_bytes:
            raise StorageError("holds too many bytes", where="outbox")
        return wire

    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None:
        _check_id(read_id)
        if read_id not in self.wires:
            raise StorageError("no such read in the outbox", where="outbox")
        self.log.append(kind, {**details, "read": read_id})
        del self.wires[read_id], self._waiting[read_id]

    def recover(self) -> Sequence[str]:
        return []


class FakeReceiptBox:
    """Implements ports.ReceiptBox, and what watch asks of the folder. `opened`: how many receipts
    were read.
    """

    def __init__(self, log: FakeAuditLog | None = None, max_bytes: int = 4_096):
        self._log = log or FakeAuditLog()
        self.receipts: dict[str, bytes] = {}
        self.outcomes: dict[str, bytes] = {}
        self.odd_names: list[str] = []
        self.opened = 0
        self._max_bytes = max_bytes

    def recover(self) -> None:
        pass

    def put(self, read_id: str, receipt: bytes) -> None:
        self._check(read_id, receipt)
        self.receipts[read_id] = receipt

    def put_all(self, receipts: Mapping[str, bytes], leaves) -> None:
        for read_id, receipt in receipts.items():
            self._check(read_id, receipt)
        for details in leaves:
            self._log.append("receipt", details)
        self.receipts |= receipts

    def keep_outcome(self, read_id: str, outcome: bytes) -> bool:
        self._check(read_id, outcome)
        return self.outcomes.setdefault(read_id, outcome) is outcome

    def pending(self) -> Sequence[str]:
        return list(self.receipts)

    def strangers(self) -> Sequence[str]:
        return list(self.odd_names)

    def arrived(self, waiting: Collection[str]) -> Sequence[str]:
        return [read_id for read_id in waiting if read_id in self.receipts]

    def untrusted_receipt(self, read_id: str) -> bytes | None:
        _check_id(read_id)
        self.opened += 1
        receipt = self.receipts.get(read_id)
        if receipt is not None and len(receipt) > self._max_bytes:
            raise StorageError("holds too many bytes", where="receipts")
        return receipt

    def remove(self, read_ids: Sequence[str]) -> None:
        for read_id in read_ids:
            _check_id(read_id)
            self.receipts.pop(read_id, None)

    def _check(self, read_id: str, receipt: bytes) -> None:
        _check_id(read_id)
        if len(receipt) > self._max_bytes:
            raise StorageError("the receipt is too large", where="receipts")


def _check_id(read_id: str) -> None:
    if len(read_id) != 32 or set(read_id) - set("0123456789abcdef"):
        raise StorageError("not a read id: 32 lower-case hex digits are needed", where="mailbox")
