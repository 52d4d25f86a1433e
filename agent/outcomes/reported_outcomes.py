"""What deliver does with the outcomes that recipients report: they come where receipts come, and
are kept for watch, which alone acts on them (docs/design/outcomes.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from agent.core.reasons import Reason
from agent.core.wire.receipt import claims_outcome
from agent.errors import EnvelopeRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.wire.receipt import LeadOutcome
    from agent.ledger import Refusals
    from agent.ports import ReceiptVerifier


class Keeping(Protocol):
    """The part of ports.ReceiptBox that this needs."""

    def keep_outcome(self, read_id: str, outcome: bytes) -> bool: ...


class ReportedOutcomes:
    """`device`: this camera's id."""

    def __init__(self, device: str, box: Keeping, refusals: Refusals) -> None:
        self._device, self._box, self._refusals = device, box, refusals

    def receipts_of(
        self, untrusted_answers: Sequence[bytes], verifier: ReceiptVerifier
    ) -> Sequence[bytes]:
        """What came, without the outcomes, which are kept or refused. Raises StorageError."""
        receipts: list[bytes] = []
        for untrusted_answer in untrusted_answers:
            if claims_outcome(untrusted_answer):
                self._keep(untrusted_answer, verifier)
            else:
                receipts.append(untrusted_answer)
        return receipts

    def _keep(self, untrusted_outcome: bytes, verifier: ReceiptVerifier) -> None:
        try:
            outcome = verifier.verify_outcome(untrusted_outcome)
            self._require_ours(outcome)
        except EnvelopeRefusedError as refusal:
            self._refusals.note(
                ("outcome", refusal.reason),
                {"reason": refusal.reason, "what": f"outcome: {refusal.what}"},
            )
            return
        new = self._box.keep_outcome(outcome.read_id, untrusted_outcome)
        self._refusals.count("outcomes", int(new))

    def _require_ours(self, outcome: LeadOutcome) -> None:
        if outcome.device != self._device:
            raise EnvelopeRefusedError(
                Reason.RECEIPT_MISMATCH, "an outcome for another device", where="outcome"
            )
