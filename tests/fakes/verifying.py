"""Fake verifiers over the fakes' readable forms: a checksum stands for the signature."""

import hashlib
from collections.abc import Collection, Mapping

from agent.core.reasons import Reason
from agent.core.text.strict_json import malformed, parse_object
from agent.core.wire.receipt import (
    LeadOutcome,
    Receipt,
    format_outcome,
    format_receipt,
    parse_outcome,
    parse_receipt,
)
from agent.core.wire.tags import Tags
from agent.core.wire.versions import (
    VERSIONS,
    EnvelopeMinimum,
    Versions,
    parse_minimum,
    version_of,
)
from agent.errors import EnvelopeRefusedError


def fake_receipt(receipt: Receipt) -> bytes:
    """`<receipt as JSON>`, a line feed, its SHA-256."""
    return _sum(format_receipt(receipt))


def fake_outcome(outcome: LeadOutcome) -> bytes:
    """The same of an outcome."""
    return _sum(format_outcome(outcome))


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

    def __init__(
        self, enrolled: Collection[str] | None = None, versions: Versions = VERSIONS
    ) -> None:
        self.enrolled, self.versions = enrolled, versions

    def verify(self, untrusted_wire: bytes) -> Tags:
        """The tags, or EnvelopeRefusedError."""
        read = self.verify_any_version(untrusted_wire)
        if isinstance(read, EnvelopeMinimum):
            raise EnvelopeRefusedError(
                Reason.UNSUPPORTED_VERSION,
                f"is sealed in version {read.version}",
                where=f"read {read.read_id}",
            )
        return read

    def verify_any_version(self, untrusted_wire: bytes) -> Tags | EnvelopeMinimum:
        """The tags or what every version keeps, or EnvelopeRefusedError."""
        table = _table(untrusted_wire)
        read = (
            self.versions.parse_tags(table)
            if version_of(table) in self.versions.known
            else parse_minimum(table)
        )
        if self.enrolled is not None and read.device not in self.enrolled:
            raise EnvelopeRefusedError(
                Reason.DEVICE_NOT_ENROLLED,
                f"device {read.device} is not in the roster",
                where="sealed read",
            )
        return read


def _table(untrusted_wire: bytes) -> Mapping[str, object]:
    return parse_object(_body(untrusted_wire, "sealed read"), "tags")


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

    def verify_outcome(self, untrusted_outcome: bytes) -> LeadOutcome:
        """The outcome, likewise."""
        outcome = parse_outcome(_body(untrusted_outcome, "outcome"))
        if self.recipients is not None and outcome.recipient not in self.recipients:
            raise EnvelopeRefusedError(
                Reason.RECIPIENT_NOT_IN_POLICY,
                f"recipient {outcome.recipient} is not in the policy",
                where="outcome",
            )
        return outcome
