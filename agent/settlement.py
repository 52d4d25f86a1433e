"""What watch does between frames: empties the outbox of what is received, expired or no longer
permitted; nothing else leaves it (P8).

Receipts are untrusted: deliver, which has the network, wrote them. What waits stands in the
outbox's ledger, which only watch writes, so that no file of the outbox is looked at here. A round
in which nothing has changed asks for nothing and judges nothing (docs/design/mailboxes.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from agent.core.log.leaf import LeafKind
from agent.core.policy.decide import HOLD, may_publish
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.own_read import require_answer
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError, StorageError
from agent.outcomes.odd_files import OddFiles

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from agent.core.policy.policy import Policy
    from agent.core.time.instant import Instant
    from agent.core.wire.sealed_read import ReleasedRead
    from agent.ports import AuditLog, ReceiptVerifier


class Outbox(Protocol):
    """The part of ports.Outbox that settling needs."""

    def waiting(self) -> Mapping[str, ReleasedRead]: ...
    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None: ...


class Receipts(Protocol):
    """The part of ports.ReceiptBox that watch may use: it looks, and only deliver removes."""

    def arrived(self, waiting: Collection[str]) -> Sequence[str]: ...
    def untrusted_receipt(self, read_id: str) -> bytes | None: ...


class Settler:
    """Bound to one policy, the one in force.

    `receipt_verifier` knows its recipients' keys.
    """

    def __init__(
        self,
        policy: Policy,
        outbox: Outbox,
        receipts: Receipts,
        receipt_verifier: ReceiptVerifier,
        log: AuditLog,
    ) -> None:
        self._policy, self._outbox, self._receipts = policy, outbox, receipts
        self._receipt_verifier, self._odd = receipt_verifier, OddFiles(log, "receipts")
        self._judged: set[str] = set()
        self._judged_at: tuple[object, ...] = ()

    def settle(self, now: Instant) -> None:
        """One round: receipts first, so that what was received in time does not expire. Raises
        StorageError.
        """
        waiting = self._outbox.waiting()
        for read_id in self._receipts.arrived(waiting):
            self._settle_receipt(read_id, waiting[read_id])
        for read_id in self._to_judge(waiting, now):
            self._settle_permission(read_id, waiting[read_id], now)
        self._odd.keep_only(waiting)

    def _settle_receipt(self, read_id: str, read: ReleasedRead) -> None:
        """Take out the read that a receipt answers; refuse once what is no receipt for it."""
        try:
            untrusted_receipt = self._receipts.untrusted_receipt(read_id)
        except StorageError as error:
            # A link, a folder, too large a file.
            self._odd.refuse(read_id, "unreadable", Reason.MALFORMED, error.what)
            return
        if untrusted_receipt is None:
            return
        digest = hashlib.sha256(untrusted_receipt).hexdigest()
        if self._odd.known(read_id, digest):
            return
        try:
            receipt = self._receipt_verifier.verify(untrusted_receipt)
            require_answer(receipt, read.tags, read.wire_sha256)
        except EnvelopeRefusedError as refusal:
            self._odd.refuse(read_id, digest, refusal.reason, refusal.what)
            return
        details: dict[str, object] = {
            "recipient": receipt.recipient,
            "outcome": receipt.outcome,
            "sha256": receipt.wire_sha256,
            "received": rfc3339(receipt.at),
        }
        if not isinstance(read.tags, EnvelopeMinimum):
            details["sequence"] = read.tags.sequence
        self._outbox.remove(read_id, LeafKind.RECEIPT, details)

    def _to_judge(self, waiting: Mapping[str, ReleasedRead], now: Instant) -> Sequence[str]:
        """The reads of which the policy could say something new: those that it was not asked about
        yet; all, when the day or the clock's trust has changed. Authorities, policies and
        deadlines end with a day, by the time as it is told or as it is sure.
        """
        sure = now.sure()
        standing = (now.utc.date(), now.trust, sure and sure.date())
        if standing != self._judged_at:
            self._judged_at, self._judged = standing, set()
        todo = [read_id for read_id in waiting if read_id not in self._judged]
        if len(self._judged) > len(waiting):
            self._judged &= waiting.keys()
        self._judged.update(todo)
        return todo

    def _settle_permission(self, read_id: str, read: ReleasedRead, now: Instant) -> None:
        """Take out a read that has expired or that the policy in force does not permit; it is never
        sealed again.

        An untrusted clock takes nothing out, for it may have jumped (HOLD), but for reads whose
        deadline has surely passed (Instant.reached).
        """
        tags = read.tags
        if isinstance(tags, EnvelopeMinimum):
            # Sealed by newer software, before this camera went back to older: nobody here can hold
            # it against the policy (P4), and its deadline cannot be read either, so it would stay
            # for ever.
            denied: Reason | None = Reason.UNSUPPORTED_VERSION
            about: dict[str, object] = {"version": tags.version}
        else:
            denied = may_publish(tags, self._policy, now)
            about = {"sequence": tags.sequence, "rule": tags.rule}
        if denied is None or denied in HOLD:
            return
        # A round asks for a part of the receipts only; this one's may be there already.
        self._settle_receipt(read_id, read)
        if read_id not in self._outbox.waiting():
            return
        kind = LeafKind.EXPIRED if denied is Reason.DEADLINE_PASSED else LeafKind.WITHDRAWAL
        details = {
            "recipient": tags.recipient,
            **about,
            "reason": denied.value,
            "policy_version": self._policy.version,
        }
        self._outbox.remove(read_id, kind, details)
