"""Checks what a recipient signed of a read: its receipt, which alone empties the outbox, and what
became of the lead.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from agent import boundary
from agent.core.reasons import Reason
from agent.core.wire.receipt import (
    OUTCOME_TYP,
    TYP,
    LeadOutcome,
    Receipt,
    parse_outcome,
    parse_receipt,
)
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose

MAX_RECEIPT_BYTES = 4_096
_Answer = TypeVar("_Answer", Receipt, LeadOutcome)


class ReceiptVerifier:
    """Implements ports.ReceiptVerifier.

    `signing_keys`: raw Ed25519 public keys by recipient, from the policy.
    """

    def __init__(
        self, signing_keys: Mapping[str, bytes], max_bytes: int = MAX_RECEIPT_BYTES
    ) -> None:
        self._signing_keys = dict(signing_keys)
        self._max_bytes = max_bytes

    @boundary.document("receipt")
    def verify(self, untrusted_receipt: bytes) -> Receipt:
        """The receipt, believed from here on; whether it fits a read is for the caller.

        Raises EnvelopeRefusedError.
        """
        return self._verified(untrusted_receipt, TYP, "receipt", parse_receipt)

    @boundary.document("outcome")
    def verify_outcome(self, untrusted_outcome: bytes) -> LeadOutcome:
        """The outcome, likewise."""
        return self._verified(untrusted_outcome, OUTCOME_TYP, "outcome", parse_outcome)

    def _verified(
        self, untrusted: bytes, typ: str, where: str, parse: Callable[[bytes], _Answer]
    ) -> _Answer:
        answer = parse(jose.untrusted_payload(untrusted, where=where, max_bytes=self._max_bytes))
        key = self._signing_keys.get(answer.recipient)
        if key is None:
            raise EnvelopeRefusedError(
                Reason.RECIPIENT_NOT_IN_POLICY,
                f"recipient {answer.recipient} is not in the policy",
                where=where,
            )
        # over the same bytes, which say who claims to have signed: they are parsed once
        jose.verify_compact(untrusted, typ, key, where=where, max_bytes=self._max_bytes)
        return answer
