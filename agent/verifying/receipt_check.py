"""Checks a recipient's signed receipt; only a verified one empties the outbox."""

from collections.abc import Mapping

from agent import boundary
from agent.core.reasons import Reason
from agent.core.wire.receipt import TYP, Receipt, parse_receipt
from agent.errors import EnvelopeRefusedError
from agent.verifying import jose

MAX_RECEIPT_BYTES = 4_096


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
        receipt = parse_receipt(
            jose.untrusted_payload(untrusted_receipt, where="receipt", max_bytes=self._max_bytes)
        )
        key = self._signing_keys.get(receipt.recipient)
        if key is None:
            raise EnvelopeRefusedError(
                Reason.RECIPIENT_NOT_IN_POLICY,
                f"recipient {receipt.recipient} is not in the policy",
                where="receipt",
            )
        # over the same bytes, which say who claims to have signed: they are parsed once
        jose.verify_compact(untrusted_receipt, TYP, key, where="receipt", max_bytes=self._max_bytes)
        return receipt
