"""What receiver, status, doctor and `open` need of the place where sealed reads are kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.receiver.store.acts.lead_acts import LeadActs
from agent.receiver.store.holds.held_reads import HeldReads
from agent.receiver.store.ring_queue import RingQueue
from agent.values import dataclass

KEEP_REJECTIONS_DAYS = 30
Name = tuple[str, str]
"""Camera and read id. The camera belongs to it: none can shut out another's read by its id."""


@dataclass(frozen=True, slots=True)
class StoredRead:
    """One row of the index. `wire_sha256`: lower-case hex."""

    device: str
    read_id: str
    sequence: int
    deadline: datetime
    wire_sha256: str
    received_at: datetime

    @property
    def name(self) -> Name:
        """Camera and read id."""
        return self.device, self.read_id


@dataclass(frozen=True, slots=True)
class Kept:
    """What the store holds under a read's name. `new`: this very call has stored it, and whoever
    made the call tells people of it.
    """

    row: StoredRead
    new: bool


@dataclass(frozen=True, slots=True)
class DeviceSequence:
    """What arrived from one camera: its highest sequence number, the runs (first, last) below it
    that never came, and the runs of numbers under which different reads came.
    """

    device: str
    highest: int
    missing: tuple[tuple[int, int], ...]
    twice: tuple[tuple[int, int], ...] = ()


class ReadStore(Protocol):
    """Sealed reads by (camera, read id), and the numbers that came. Knows no plate and no key.

    Every method raises StorageError; StoreAwayError where the store may be back by itself.
    """

    @property
    def rings(self) -> RingQueue:
        """Who is still to be rung."""
        ...

    @property
    def acts(self) -> LeadActs:
        """What people did with leads."""
        ...

    @property
    def holds(self) -> HeldReads:
        """What is kept beyond its deadline, by whose order."""
        ...

    def close(self) -> None: ...

    def recover(self) -> int:
        """Finish or remove what a crash left; returns how much that was. Only before messages are
        taken. A store that was away is reached again, or says so.
        """
        ...

    def place(self) -> tuple[int, int]:
        """Of the receivers that take in here, which one is this, from 0, and how many are there? A
        hint for who takes which read first, a few seconds old.
        """
        ...

    def doubts(self) -> Sequence[str]:
        """What would lose reads that were receipted, in words; nothing where all is well."""
        ...

    def known(self, names: Sequence[Name]) -> Mapping[Name, str]:
        """The digest of each of these reads that is stored, bytes and row."""
        ...

    def add_all(self, reads: Mapping[str, SealedRead], received_at: datetime) -> Sequence[Kept]:
        """Store verified reads by what their bytes hash to, all durable on return, each with its
        number and as "to tell"; in order. What is there under the name already stays. On an error
        none of them counts as stored.
        """
        ...

    def untold(self) -> Sequence[StoredRead]:
        """Reads that somebody stored and died before he told of them: from now on the caller's to
        tell. Of several callers one gets each.
        """
        ...

    def told(self, names: Sequence[Name], ringers: Sequence[str] = ()) -> None:
        """Whoever watches the receiver knows of these, and `ringers` are to ring: in one
        transaction, once for each read. A crash may take it back: then they are told again.
        """
        ...

    def reads(self, read_id: str | None = None) -> Sequence[StoredRead]:
        """All rows, or those with this read id, in order of arrival."""
        ...

    def wire(self, row: StoredRead) -> bytes:
        """The sealed bytes: untrusted again, since anybody with the disk may have changed them."""
        ...

    def add_rejection(
        self, tags: Tags | EnvelopeMinimum, wire_sha256: str, reason: str, at: datetime
    ) -> None:
        """Remember that a read of an enrolled camera was turned away; its number did arrive, so it
        is no gap. Another recipient's numbers are not ours, and a version that is not known here
        does not tell its number: that one stays a gap.
        """
        ...

    def count_dropped(self, reason: str, messages: int = 1) -> None:
        """Count messages that nobody can be told about."""
        ...

    def held(self) -> tuple[int, datetime | None]:
        """How many reads are stored, and the first deadline among them."""
        ...

    def rejections(self) -> Mapping[str, int]:
        """How many reads were rejected in the last days, by reason."""
        ...

    def dropped(self) -> Mapping[str, int]:
        """How many messages were dropped, by reason."""
        ...

    def sequences(self) -> Sequence[DeviceSequence]:
        """Per camera, what never arrived (P8), and what arrived under a number of another read: a
        log that was put back uses its numbers again.
        """
        ...

    def delete_due(self, now: datetime, spared: Collection[Name] = ()) -> int:
        """Delete the sealed bytes and rows whose deadline has come, but for the `spared`; returns
        how many this call deleted.
        """
        ...


def row_of(tags: Tags, digest: str, received_at: datetime) -> StoredRead:
    """The row of a read that comes in."""
    return StoredRead(tags.device, tags.read_id, tags.sequence, tags.deadline, digest, received_at)
