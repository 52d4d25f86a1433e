"""What a receiver does with one message: verify, trial-decrypt, store, and say so in a signed
receipt.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.core.policy.policy import TEST
from agent.core.reasons import Reason
from agent.core.wire.receipt import Receipt
from agent.core.wire.tags import Tags
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError
from agent.receiver.opener import Opener
from agent.receiver.received_reads import ReceivedReads
from agent.receiver.signing_key import RecipientSigner

if TYPE_CHECKING:
    from agent.core.time.instant import Instant

STORED = "stored"
WRITE_DROPPED_S = 60.0


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one message.

    `tags` and `receipt` are None when its signature could not be believed: there is nobody to tell.
    Of a version that is not known here, `tags` is the minimum.

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


class Intake:
    """Guarantee: a receipt "stored" leaves only after the read was opened once (and forgotten) and
    its sealed bytes are durable.

    Rejections are final for the camera, so only what can never become right is rejected; a fault of
    this machine (StorageError) passes through without a receipt, and the read comes again.

    Mitigates against: a broker that floods us with junk. It is counted in memory and written once a
    minute (`settle`) and at the end (`write_dropped`), where each write waits for the disk.
    """

    def __init__(
        self, recipient: str, opener: Opener, store: ReceivedReads, signer: RecipientSigner
    ) -> None:
        self._recipient, self._opener, self._store, self._signer = recipient, opener, store, signer
        self._dropped: Counter[str] = Counter()
        self._written_s: float | None = None

    def take(self, untrusted_wire: bytes, now: "Instant") -> Taken:
        """Raises StorageError; never EnvelopeRefusedError."""
        try:
            tags = self._opener.verify_any_version(untrusted_wire)
        except EnvelopeRefusedError as refused:
            self._dropped[refused.reason] += 1
            return Taken(f"dropped:{refused.reason}")
        digest = hashlib.sha256(untrusted_wire).hexdigest()
        try:
            new = self._keep(tags, untrusted_wire, digest, now)
        except EnvelopeRefusedError as refused:
            self._store.add_rejection(tags, digest, refused.reason, now.utc)
            return self._taken(tags, digest, f"rejected:{refused.reason}", now, new=False)
        return self._taken(tags, digest, STORED, now, new=new)

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

    def _keep(self, tags: Tags | EnvelopeMinimum, wire: bytes, digest: str, now: "Instant") -> bool:
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
        known = self._store.find(tags.device, tags.read_id)
        if known is not None:
            # A camera never seals twice under one id: somebody tries to replace a read.
            if known.wire_sha256 != digest:
                raise EnvelopeRefusedError(
                    Reason.READ_ID_REUSED, "another read with this id is stored", where=where
                )
            return False
        # A rejection is final: no clock that merely says so may give it.
        if now.reached(tags.deadline):
            raise EnvelopeRefusedError(
                Reason.DEADLINE_PASSED, "its deadline has passed", where=where
            )
        # The content is forgotten at once: storage holds sealed bytes only.
        self._opener.open_verified(tags, wire)
        self._store.add(tags, wire, now.utc)
        return True

    def _taken(
        self,
        tags: Tags | EnvelopeMinimum,
        digest: str,
        outcome: str,
        now: "Instant",
        *,
        new: bool,
    ) -> Taken:
        receipt = Receipt(tags.read_id, digest, tags.device, self._recipient, outcome, now.utc)
        return Taken(outcome, tags, self._signer.receipt(receipt), new)
