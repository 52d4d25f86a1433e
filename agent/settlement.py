"""What watch does between frames: empties the outbox of what is received, expired or no longer
permitted; nothing else leaves it (P8).

Receipts and the files in the outbox are untrusted: deliver, which has the network, wrote the ones
and could have planted the others.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from agent.core.log.leaf import LeafKind
from agent.core.policy.decide import may_publish
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.versions import EnvelopeMinimum
from agent.errors import EnvelopeRefusedError, StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.core.policy.policy import Policy
    from agent.core.time.instant import Instant
    from agent.core.wire.receipt import Receipt
    from agent.core.wire.tags import Tags
    from agent.ports import AuditLog, ReceiptVerifier, Verifier

HOLD = frozenset({Reason.CLOCK_UNTRUSTED, Reason.POLICY_NOT_IN_FORCE})
"""Reasons that may pass by themselves: the read waits, until its deadline at the latest."""
# leaves that one run writes about odd files; beyond it they are ignored silently, so that deliver
# cannot flood the log. A file altered again and again takes one for each reason: else it alone
# would use them up, and what comes after it left no trace.
MAX_REFUSALS = 1000


class Outbox(Protocol):
    """The part of ports.Outbox that settling needs."""

    def pending(self) -> Sequence[str]: ...
    def untrusted_wire(self, read_id: str) -> bytes | None: ...
    def remove(self, read_id: str, kind: str, details: Mapping[str, object]) -> None: ...


class Receipts(Protocol):
    """The part of ports.ReceiptBox that watch may use: it looks, and only deliver removes."""

    def pending(self) -> Sequence[str]: ...
    def untrusted_receipt(self, read_id: str) -> bytes | None: ...


class Settler:
    """Bound to one policy, the one in force. `verifier` knows this camera's own key;
    `receipt_verifier` the recipients' of the policy.
    """

    def __init__(
        self,
        policy: Policy,
        outbox: Outbox,
        receipts: Receipts,
        verifier: Verifier,
        receipt_verifier: ReceiptVerifier,
        log: AuditLog,
    ) -> None:
        self._policy, self._outbox, self._receipts = policy, outbox, receipts
        self._verifier, self._receipt_verifier, self._log = verifier, receipt_verifier, log
        # digest and tags of reads: spares checking thousands of signatures every second
        self._verified: dict[str, tuple[str, Tags | EnvelopeMinimum]] = {}
        self._leaves = 0
        # (mailbox, read id) → digest of what was refused there
        self._refused: dict[tuple[str, str], str] = {}
        self._told: set[tuple[str, str, str]] = set()  # mailbox, read id, reason: it has its leaf

    def settle(self, now: Instant) -> None:
        """One round: receipts first, so that what was received in time does not expire. Raises
        StorageError.
        """
        for read_id in self._receipts.pending():
            self._settle_receipt(read_id)
        waiting = self._outbox.pending()
        self._forget_all_but(waiting)
        for read_id in waiting:
            self._settle_permission(read_id, now)

    def _settle_receipt(self, read_id: str) -> None:
        """Take out the read that a receipt answers. A receipt for a read that is not here is a
        settled one, which deliver will tidy away.
        """
        untrusted_receipt, wire = self._look("receipts", read_id), self._look("outbox", read_id)
        if untrusted_receipt is None or wire is None:
            return
        digest = hashlib.sha256(untrusted_receipt).hexdigest()
        if self._refused.get(("receipts", read_id)) == digest:
            return
        tags = self._tags(read_id, wire)
        if tags is None:
            return
        try:
            receipt = self._receipt_verifier.verify(untrusted_receipt)
            _require_match(receipt, tags, wire)
        except EnvelopeRefusedError as refusal:
            self._refuse("receipts", read_id, digest, refusal.reason, refusal.what)
            return
        details: dict[str, object] = {
            "recipient": receipt.recipient,
            "outcome": receipt.outcome,
            "sha256": receipt.wire_sha256,
            "received": rfc3339(receipt.at),
        }
        if not isinstance(tags, EnvelopeMinimum):
            details["sequence"] = tags.sequence
        self._outbox.remove(read_id, LeafKind.RECEIPT, details)

    def _settle_permission(self, read_id: str, now: Instant) -> None:
        """Take out a read that has expired or that the policy in force does not permit; it is never
        sealed again.

        An untrusted clock takes nothing out, for it may have jumped (HOLD), but for reads whose
        deadline has surely passed (Instant.reached).
        """
        _, tags = self._verified.get(read_id, ("", None))
        if tags is None:
            wire = self._look("outbox", read_id)
            tags = self._tags(read_id, wire) if wire is not None else None
        if isinstance(tags, EnvelopeMinimum):
            self._withdraw_unreadable(tags)
            return
        denied = may_publish(tags, self._policy, now) if tags is not None else None
        if tags is None or denied is None or denied in HOLD:
            return
        kind = LeafKind.EXPIRED if denied is Reason.DEADLINE_PASSED else LeafKind.WITHDRAWAL
        details = {
            "recipient": tags.recipient,
            "sequence": tags.sequence,
            "rule": tags.rule,
            "reason": denied.value,
            "policy_version": self._policy.version,
        }
        self._outbox.remove(read_id, kind, details)

    def _withdraw_unreadable(self, read: EnvelopeMinimum) -> None:
        """Sealed by newer software, before this camera went back to older: nobody here can hold it
        against the policy (P4), and its deadline cannot be read either, so it would stay for ever.
        """
        details = {
            "recipient": read.recipient,
            "reason": Reason.UNSUPPORTED_VERSION.value,
            "version": read.version,
            "policy_version": self._policy.version,
        }
        self._outbox.remove(read.read_id, LeafKind.WITHDRAWAL, details)

    def _tags(self, read_id: str, wire: bytes) -> Tags | EnvelopeMinimum | None:
        """The tags of a read that this camera sealed under this name, or the minimum of a version
        that it does not know any more; else one refusal, and None.
        """
        digest = hashlib.sha256(wire).hexdigest()
        known, known_tags = self._verified.get(read_id, ("", None))
        if known == digest:
            return known_tags
        if self._refused.get(("outbox", read_id)) == digest:
            return None
        try:
            tags = self._verifier.verify_any_version(wire)
        except EnvelopeRefusedError as refusal:
            self._refuse("outbox", read_id, digest, refusal.reason, refusal.what)
            return None
        if tags.read_id != read_id:
            self._refuse(
                "outbox", read_id, digest, Reason.MALFORMED, "the file's name is not its read id"
            )
            return None
        self._verified[read_id] = digest, tags
        return tags

    def _look(self, mailbox: str, read_id: str) -> bytes | None:
        """What lies in a mailbox; a link, a folder or too large a file is refused once and counts
        as nothing.
        """
        try:
            return (
                self._outbox.untrusted_wire(read_id)
                if mailbox == "outbox"
                else self._receipts.untrusted_receipt(read_id)
            )
        except StorageError as error:
            self._refuse(mailbox, read_id, "unreadable", Reason.MALFORMED, error.what)
            return None

    def _refuse(self, mailbox: str, read_id: str, digest: str, reason: str, what: str) -> None:
        """One leaf for each odd file and reason; the same bytes found again tell nothing new."""
        if self._refused.get((mailbox, read_id)) == digest:
            return
        told = mailbox, read_id, str(reason)
        if told not in self._told and self._leaves < MAX_REFUSALS:
            self._leaves += 1
            self._told.add(told)
            self._log.append(
                LeafKind.REFUSAL,
                {"reason": str(reason), "read": read_id, "where": mailbox, "what": what},
            )
        self._refused[mailbox, read_id] = digest

    def _forget_all_but(self, waiting: Sequence[str]) -> None:
        kept = set(waiting)
        self._verified = {
            read_id: known for read_id, known in self._verified.items() if read_id in kept
        }
        self._refused = {
            place: digest for place, digest in self._refused.items() if place[1] in kept
        }
        self._told = {told for told in self._told if told[1] in kept}


def _require_match(receipt: Receipt, tags: Tags | EnvelopeMinimum, wire: bytes) -> None:
    """A receipt counts for exactly the bytes, device and recipient that it names. Raises
    EnvelopeRefusedError(receipt-mismatch).
    """
    answered = {
        "read": receipt.read_id == tags.read_id,
        "bytes": receipt.wire_sha256 == hashlib.sha256(wire).hexdigest(),
        "device": receipt.device == tags.device,
        "recipient": receipt.recipient == tags.recipient,
    }
    wrong = [name for name, right in answered.items() if not right]
    if wrong:
        raise EnvelopeRefusedError(
            Reason.RECEIPT_MISMATCH, f"a receipt for another {' and '.join(wrong)}", where="receipt"
        )
