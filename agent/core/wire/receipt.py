"""A recipient's receipt for one sealed read (docs/ref/sealed-read.md): parsing and writing, no
cryptography.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.core.wire.tags import READ_ID, SHA256_HEX

TYP = "platewarden-receipt"
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
