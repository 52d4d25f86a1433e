"""Fake verifiers over the fakes' readable forms: a checksum stands for the signature."""

import hashlib
from collections.abc import Collection

from agent.core.reasons import Reason
from agent.core.text.strict_json import malformed, parse_object
from agent.core.wire.sealed_read import Receipt, Tags, format_receipt, parse_receipt, parse_tags
from agent.errors import EnvelopeRefusedError


def fake_receipt(receipt: Receipt) -> bytes:
    """`<receipt as JSON>`, a line feed, its SHA-256."""
    return _sum(format_receipt(receipt))


def _sum(body: bytes) -> bytes:
    return body + b"\n" + hashlib.sha256(body).hexdigest().encode()


def _body(untrusted: bytes, where: str) -> bytes:
    body, line_feed, _checksum = untrusted.partition(b"\n")
    if not line_feed or not body.startswith(b"{"):
        raise malformed("is not one of the fakes' forms", where)
    if untrusted != _sum(body):
        raise EnvelopeRefusedError(
            Reason.SIGNATURE_INVALID, "the checksum does not match", where=where
        )
    return body


class FakeVerifier:
    """Implements ports.Verifier for FakeSealer's wire bytes.

    `enrolled`: which devices are believed (None: every one).
    """

    def __init__(self, enrolled: Collection[str] | None = None) -> None:
        self.enrolled = enrolled

    def verify(self, untrusted_wire: bytes) -> Tags:
        """The tags, or EnvelopeRefusedError."""
        tags = parse_tags(parse_object(_body(untrusted_wire, "sealed read"), "tags"))
        if self.enrolled is not None and tags.device not in self.enrolled:
            raise EnvelopeRefusedError(
                Reason.DEVICE_NOT_ENROLLED,
                f"device {tags.device} is not in the roster",
                where="sealed read",
            )
        return tags


class FakeReceiptVerifier:
    """Implements ports.ReceiptVerifier for fake_receipt's bytes.

    `recipients`: whose receipts are believed (None: everybody's).
    """

    def __init__(self, recipients: Collection[str] | None = None) -> None:
        self.recipients = recipients

    def verify(self, untrusted_receipt: bytes) -> Receipt:
        """The receipt, or EnvelopeRefusedError."""
        receipt = parse_receipt(_body(untrusted_receipt, "receipt"))
        if self.recipients is not None and receipt.recipient not in self.recipients:
            raise EnvelopeRefusedError(
                Reason.RECIPIENT_NOT_IN_POLICY,
                f"recipient {receipt.recipient} is not in the policy",
                where="receipt",
            )
        return receipt
