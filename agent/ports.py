"""The Protocols between the line and the world.

Only the composition roots (agent/sides) build real parts.

Every port has a fake in tests/fakes and one contract suite in tests/contracts that runs over fake
and real.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from agent.core.log.fate import Outcome, Post, PostAnswer
from agent.core.policy.policy import Release
from agent.core.reading.sighting import Frame, PlateBox, PlateRead, Sighting
from agent.core.time.instant import Instant
from agent.core.wire.receipt import LeadOutcome, Receipt
from agent.core.wire.sealed_read import ReleasedRead, SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum


class FrameSource(Protocol):
    """Frames in order of capture. Raises SourceError; a live source never ends by itself."""

    def frames(self) -> Iterator[Frame]: ...
    def close(self) -> None: ...


class PlateDetector(Protocol):
    """Boxes of all plates in a frame, best first; empty when there are none."""

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]: ...


class MotionGate(Protocol):
    """Says whether a frame may show something new.

    `changed`: it differs from the last one that was `looked` at; True for the first one. `looked`:
    the detector has just seen the last frame asked about, captured `now`. `news`: its plates were
    others than before.
    """

    def changed(self, frame: Frame) -> bool: ...
    def looked(self, now: datetime, *, news: bool) -> None: ...


class PlateReader(Protocol):
    """Reads the plate in one box; an unreadable plate gives an empty text and confidence 0."""

    def read(self, frame: Frame, box: PlateBox) -> PlateRead: ...


class Sealer(Protocol):
    """Seals a sighting for exactly one release.

    Raises RefusedError(no-epoch-key or no-common-version).
    """

    def seal(self, sighting: Sighting, release: Release, sequence: int) -> SealedRead: ...


class Verifier(Protocol):
    """Checks an envelope's outer signature and parses its tags; opens nothing.

    Raises EnvelopeRefusedError.

    `verify_any_version`: of a version that is not known here, what every version keeps.
    """

    def verify(self, untrusted_wire: bytes) -> Tags: ...
    def verify_any_version(self, untrusted_wire: bytes) -> Tags | EnvelopeMinimum: ...


class ReceiptVerifier(Protocol):
    """Checks a receipt's or an outcome's signature against the recipient's key in the policy.

    Raises EnvelopeRefusedError.
    """

    def verify(self, untrusted_receipt: bytes) -> Receipt: ...
    def verify_outcome(self, untrusted_outcome: bytes) -> LeadOutcome: ...


class Outbox(Protocol):
    """Sealed reads between watch (the only writer) and deliver.

    Names are read ids. Raises StorageError.

    `put` commits the log leaf before the read becomes visible; both survive a crash at any instant,
    or neither. `waiting`: what was released and has not left, in order of release, held in memory;
    `pending`: its ids.
    """

    def next_sequence(self, recipient: str) -> int: ...
    def put(self, sealed: SealedRead) -> None: ...
    def pending(self) -> Sequence[str]: ...
    def waiting(self) -> Mapping[str, ReleasedRead]: ...
    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None: ...


class ReceiptBox(Protocol):
    """Receipts between deliver (the only writer) and watch.

    Names are read ids. Raises StorageError. This is deliver's side; watch's is the settlement's
    `Receipts`.

    `put_all`: with a leaf for each, durable together with them, before watch can see any.
    `pending`: all that watch can see. `remove`: of reads that have left the outbox. `keep_outcome`:
    what became of a lead, durable; the first one of a read stands.
    """

    def put_all(
        self, receipts: Mapping[str, bytes], leaves: Sequence[Mapping[str, object]]
    ) -> None: ...
    def pending(self) -> Sequence[str]: ...
    def remove(self, read_ids: Sequence[str]) -> None: ...
    def keep_outcome(self, read_id: str, outcome: bytes) -> bool: ...


class Bell(Protocol):
    """Something outside this process has happened. `fileno`: for select(2), readable once it has;
    -1 where there is none. `rang`: has it since the last time?
    """

    def fileno(self) -> int: ...
    def rang(self) -> bool: ...


class Publisher(Protocol):
    """Publishes wire bytes to the brokers that the policy lists for a recipient; a delivery is
    proven by a receipt only. Only `collect` waits.

    `room`: may another read be handed over now; for nobody in particular: any read at all? `alone`:
    with nothing else in flight beside it.

    `publish`: hands a read over, or returns False when there is no room yet. Raises NetworkError or
    DestinationRefusedError when all brokers are out of reach.

    `collect`: what became of reads; returns as soon as anything has come, or `bell` rings.
    ACKNOWLEDGED proves nothing more than a PUBACK. `joined`: whose brokers have a new connection
    since the last call. `troubles`: a line, with the broker's id, for each one in trouble now.

    `post`: a message for the city, to each broker that is there, or False: to none.
    `post_answers`: what brokers said to those of one kind. `untrusted_answers`: what the city's
    collector says.
    """

    def room(self, recipient: str | None, *, alone: bool = False) -> bool: ...
    def publish(
        self, recipient: str, read_id: str, wire: bytes, expires: datetime, *, alone: bool = False
    ) -> bool: ...
    def collect(self, timeout_s: float, bell: Bell | None = None) -> Sequence[Outcome]: ...
    def joined(self) -> Collection[str]: ...
    def untrusted_receipts(self) -> Sequence[bytes]: ...
    def post(self, message: bytes, about: Post = Post.CHECKPOINT) -> bool: ...
    def post_answers(self, about: Post = Post.CHECKPOINT) -> Sequence[PostAnswer]: ...
    def untrusted_answers(self) -> Sequence[bytes]: ...
    def troubles(self) -> Sequence[str]: ...
    def close(self) -> None: ...


class AuditLog(Protocol):
    """One process's append-only RFC 6962 log.

    `append` returns the leaf's index after it is durable. Raises StorageError.
    """

    def append(self, kind: str, details: Mapping[str, object]) -> int: ...
    def close(self) -> None: ...


class Clock(Protocol):
    """The only source of time. `monotonic_s`: seconds since an arbitrary start, never set back."""

    def now(self) -> Instant: ...
    def monotonic_s(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...
