"""What a recipient says of one sealed read (docs/ref/sealed-read.md): its receipt, and later what
became of the lead. Parsing and writing, no cryptography.
"""

import re
from datetime import datetime
from enum import StrEnum

from agent.core.text.encoding import b64url
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM
from agent.core.wire.tags import READ_ID, SHA256_HEX
from agent.values import dataclass

TYP = "platewarden-receipt"
OUTCOME_TYP = "platewarden-outcome"
VERSION = 1
OUTCOME = re.compile(r"stored|rejected:[a-z][a-z0-9-]{0,39}")


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a recipient says of one sealed read: `outcome` is "stored" or "rejected:<reason>".
    `wire_sha256`: lower-case hex.
    """

    read_id: str
    wire_sha256: str
    device: str
    recipient: str
    outcome: str
    at: datetime

    @property
    def stored(self) -> bool:
        return self.outcome == "stored"


def format_receipt(receipt: Receipt) -> bytes:
    """The receipt's JSON, to be signed by the recipient."""
    return canonical(
        {
            "v": VERSION,
            "read": receipt.read_id,
            "sha256": receipt.wire_sha256,
            "device": receipt.device,
            "recipient": receipt.recipient,
            "outcome": receipt.outcome,
            "at": rfc3339(receipt.at),
        }
    )


def parse_receipt(untrusted_json: bytes) -> Receipt:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("v", "read", "sha256", "device", "recipient", "outcome", "at")
    fields = Fields(parse_object(untrusted_json, "receipt"), "receipt", required=names)
    fields.exactly("v", VERSION)
    return Receipt(
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        wire_sha256=fields.pattern("sha256", SHA256_HEX, "64 lower-case hex digits"),
        device=fields.identifier("device"),
        recipient=fields.identifier("recipient"),
        outcome=fields.pattern("outcome", OUTCOME, "stored or rejected:<reason>"),
        at=fields.moment("at"),
    )


class Disposition(StrEnum):
    """What became of a lead. Codes are stable: they stand in logs and reports."""

    RIGHT_CAR = "right-car"
    WRONG_PLATE = "wrong-plate"
    WRONG_STATE = "wrong-state"
    OUT_OF_DATE = "list-out-of-date"
    NO_ACTION = "no-action"

    @property
    def false(self) -> bool:
        """Was nobody to be stopped? Of a lead that was not followed nobody knows."""
        return self in {self.WRONG_PLATE, self.WRONG_STATE, self.OUT_OF_DATE}


@dataclass(frozen=True, slots=True)
class LeadOutcome:
    """What a recipient says became of the lead in one sealed read; no plate."""

    read_id: str
    device: str
    recipient: str
    disposition: Disposition
    at: datetime


def format_outcome(outcome: LeadOutcome) -> bytes:
    """The outcome's JSON, to be signed by the recipient."""
    return canonical(
        {
            "v": VERSION,
            "read": outcome.read_id,
            "device": outcome.device,
            "recipient": outcome.recipient,
            "outcome": outcome.disposition.value,
            "at": rfc3339(outcome.at),
        }
    )


def parse_outcome(untrusted_json: bytes) -> LeadOutcome:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("v", "read", "device", "recipient", "outcome", "at")
    fields = Fields(parse_object(untrusted_json, "outcome"), "outcome", required=names)
    fields.exactly("v", VERSION)
    return LeadOutcome(
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        device=fields.identifier("device"),
        recipient=fields.identifier("recipient"),
        disposition=Disposition(
            fields.pattern("outcome", _DISPOSITION, f"one of {', '.join(Disposition)}")
        ),
        at=fields.moment("at"),
    )


def claims_outcome(untrusted: bytes) -> bool:
    """Does it say that it is an outcome? Receipts and outcomes come on one topic."""
    return untrusted.startswith(_OUTCOME_BEGINS)


_HEADER = canonical({"alg": SIGNATURE_ALGORITHM, "typ": OUTCOME_TYP})
_OUTCOME_BEGINS = f"{b64url(_HEADER)}.".encode("ascii")
_DISPOSITION = re.compile("|".join(map(re.escape, Disposition)))
