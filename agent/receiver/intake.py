"""What a receiver does with one message: verify, trial-decrypt, store, and say so in a signed
receipt.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from agent.core.policy.policy import TEST
from agent.core.reasons import Reason
from agent.core.wire.receipt import Receipt
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError, StorageError, StoreAwayError
from agent.receiver.opener import Opener
from agent.receiver.signing_key import RecipientSigner
from agent.receiver.store.read_store import Kept, Name, ReadStore
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from agent.core.time.instant import Instant

STORED = "stored"
WRITE_DROPPED_S = 60.0
_OF_KEYS = frozenset({Reason.KEY_DESTROYED, Reason.DECRYPTION_FAILED})


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one message.

    `tags` and `receipt` are None when its signature could not be believed: there is nobody to tell.
    Of a version that is not known here, `tags` is the minimum. `receipt` alone is None of a read
    that is left to another receiver.

    `outcome`: "stored", "rejected:<reason>" or "dropped:<reason>". `new`: stored just now, not a
    repetition.
    """

    outcome: str
    tags: Tags | EnvelopeMinimum | None = None
    receipt: bytes | None = None
    new: bool = False

    @property
    def is_test(self) -> bool:
        """Is it a rehearsal's read?"""
        return isinstance(self.tags, Tags) and self.tags.category == TEST


@dataclass(frozen=True, slots=True)
class _Judged:
    """What is to become of one message, as in Taken. `digest`: of its bytes; `to_store`: if it is a
    new read.
    """

    outcome: str
    tags: Tags | EnvelopeMinimum | None = None
    digest: str = ""
    to_store: SealedRead | None = None


class Intake:
    """Guarantee: a receipt "stored" leaves only after the read was opened once (and forgotten) and
    its sealed bytes are durable.

    Rejections are final for the camera, so only what can never become right is rejected; a fault of
    this machine (StorageError) passes through without a receipt, and the read comes again.

    `all_keys`: does this receiver have every epoch key? One with copies leaves what they do not
    open to the one that makes them: that alone may reject it.

    `ringers`: who else is to be told of each new read.

    Mitigates against: a broker that floods us with junk. It is counted in memory and written once a
    minute (`settle`) and at the end (`write_dropped`), where each write waits for the disk.
    """

    def __init__(
        self,
        recipient: str,
        opener: Opener,
        store: ReadStore,
        signer: RecipientSigner,
        *,
        all_keys: bool = True,
        ringers: Sequence[str] = (),
    ) -> None:
        self._all_keys, self._ringers = all_keys, tuple(ringers)
        self._recipient, self._opener, self._store, self._signer = recipient, opener, store, signer
        self._dropped: Counter[str] = Counter()
        self._written_s: float | None = None

    def take(self, untrusted_wire: bytes, now: "Instant") -> Taken:
        """`take_all` of one."""
        return self.take_all((untrusted_wire,), now)[0]

    def take_all(self, untrusted_wires: Sequence[bytes], now: "Instant") -> list[Taken]:
        """What became of each, in order. What is new is stored together: one sync for many.

        Raises StorageError, and then answers none; never EnvelopeRefusedError.
        """
        verified = [self._verified(wire) for wire in untrusted_wires]
        names = {(tags.device, tags.read_id) for tags in verified if not isinstance(tags, str)}
        digests = dict(self._store.known(sorted(names))) if names else {}
        with self._opener.keys_at_hand():
            judged = [
                self._judged(*pair, now, digests)
                for pair in zip(verified, untrusted_wires, strict=True)
            ]
        new = {one.digest: one.to_store for one in judged if one.to_store is not None}
        kept = {one.row.name: one for one in self._store.add_all(new, now.utc)} if new else {}
        # signed only now, when all are durable
        return [self._answered(self._settled(one, kept, now), now) for one in judged]

    def left_untold(self) -> list[Taken]:
        """Reads of which a receiver told nobody before it died: to be told as if they had come now,
        without a receipt. Raises StorageError.
        """
        found = []
        for row in self._store.untold():
            try:
                tags = self._opener.verify_any_version(self._store.wire(row))
            except StoreAwayError:
                raise
            except (EnvelopeRefusedError, StorageError):
                # Its camera was taken off the roster, or its file: `open` says so.
                self._store.told([row.name])
            else:
                found.append(Taken(STORED, tags, new=True))
        return found

    def told(self, all_taken: Iterable[Taken]) -> None:
        """People know of these: what was new among them needs no telling. Raises StorageError."""
        new = [one.tags for one in all_taken if one.new and one.tags is not None]
        if new:
            self._store.told([(tags.device, tags.read_id) for tags in new], self._ringers)

    def place(self) -> tuple[int, int]:
        """As ReadStore has it: which of the receivers is this. Raises StorageError."""
        return self._store.place()

    def reach_store(self) -> None:
        """Raises StoreAwayError while it does not answer."""
        self._store.recover()

    def _verified(self, untrusted_wire: bytes) -> Tags | EnvelopeMinimum | str:
        """Whose read it is, or why nobody's."""
        try:
            return self._opener.verify_any_version(untrusted_wire)
        except EnvelopeRefusedError as refused:
            self._dropped[refused.reason] += 1
            return refused.reason

    def _judged(
        self,
        tags: Tags | EnvelopeMinimum | str,
        untrusted_wire: bytes,
        now: "Instant",
        digests: dict[Name, str],
    ) -> _Judged:
        """What is to become of one message. `digests`: of the reads that are stored and of the new
        ones before it, by name.
        """
        if isinstance(tags, str):
            return _Judged(f"dropped:{tags}")
        digest = hashlib.sha256(untrusted_wire).hexdigest()
        try:
            to_store = self._checked(tags, untrusted_wire, digest, now, digests)
        except EnvelopeRefusedError as refused:
            if not self._all_keys and refused.reason in _OF_KEYS:
                self._dropped[Reason.NO_EPOCH_KEY] += 1
                return _Judged(f"dropped:{Reason.NO_EPOCH_KEY}", tags)
            self._store.add_rejection(tags, digest, refused.reason, now.utc)
            return _Judged(f"rejected:{refused.reason}", tags, digest)
        digests[tags.device, tags.read_id] = digest
        return _Judged(STORED, tags, digest, to_store)

    def settle(self, now_s: float) -> None:
        """Write what was dropped, if a minute has gone since the last time. `now_s`: monotonic.

        Raises StorageError.
        """
        if self._dropped and (
            self._written_s is None or now_s - self._written_s >= WRITE_DROPPED_S
        ):
            self.write_dropped()
            self._written_s = now_s

    def write_dropped(self) -> None:
        """Write what was dropped since the last time. Raises StorageError."""
        while self._dropped:
            reason, messages = next(iter(self._dropped.items()))
            self._store.count_dropped(reason, messages)
            del self._dropped[reason]

    def _checked(
        self,
        tags: Tags | EnvelopeMinimum,
        wire: bytes,
        digest: str,
        now: "Instant",
        digests: Mapping[Name, str],
    ) -> SealedRead | None:
        """The read if it is to be stored; None: it is known. Raises EnvelopeRefusedError."""
        where = f"read {tags.read_id}"
        if tags.recipient != self._recipient:
            raise EnvelopeRefusedError(
                Reason.NOT_FOR_THIS_RECIPIENT, f"is for {tags.recipient}", where=where
            )
        if isinstance(tags, EnvelopeMinimum):
            # told, not dropped: in silence the camera would send it again until its deadline
            raise EnvelopeRefusedError(
                Reason.UNSUPPORTED_VERSION, f"is sealed in version {tags.version}", where=where
            )
        known = digests.get((tags.device, tags.read_id))
        if known:
            # A camera never seals twice under one id: somebody tries to replace a read.
            if known != digest:
                raise EnvelopeRefusedError(
                    Reason.READ_ID_REUSED, "another read with this id is stored", where=where
                )
            return None
        # A rejection is final: no clock that merely says so may give it.
        if now.reached(tags.deadline):
            raise EnvelopeRefusedError(
                Reason.DEADLINE_PASSED, "its deadline has passed", where=where
            )
        # The content is forgotten at once: storage holds sealed bytes only.
        self._opener.open_verified(tags, wire)
        return SealedRead(tags, wire)

    def _settled(self, judged: _Judged, kept: Mapping[Name, Kept], now: "Instant") -> _Judged:
        """The same, in view of what another receiver may have stored meanwhile."""
        tags, read = judged.tags, judged.to_store
        if tags is None or read is None:
            return judged
        there = kept[tags.device, tags.read_id]
        if there.row.wire_sha256 == judged.digest:
            return judged if there.new else replace(judged, to_store=None)
        reason = Reason.READ_ID_REUSED
        self._store.add_rejection(tags, judged.digest, reason, now.utc)
        return _Judged(f"rejected:{reason}", tags, judged.digest)

    def _answered(self, judged: _Judged, now: "Instant") -> Taken:
        tags, outcome, digest = judged.tags, judged.outcome, judged.digest
        if tags is None or not digest:  # nobody to tell, or it is another's to tell
            return Taken(outcome, tags)
        receipt = Receipt(tags.read_id, digest, tags.device, self._recipient, outcome, now.utc)
        new = judged.to_store is not None
        return Taken(outcome, tags, self._signer.receipt(receipt), new)
