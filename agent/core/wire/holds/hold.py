"""A hold (docs/ref/holds.md): one camera's reads of a short time are kept beyond their deadline,
sealed to a holder. Parsing and writing, no cryptography.
"""

import hashlib
import re
from datetime import datetime

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object
from agent.core.wire.holds.hold_rules import HoldRules
from agent.core.wire.tags import READ_ID
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass

TYP = "platewarden-hold"
VERSION = 1
WHERE = "hold"
REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,63}")
REFERENCE_RULE = "a case number: letters, digits, spaces and ./_-, at most 64 characters"
HOLDER = re.compile(r"age1[02-9ac-hj-np-z]{58}")  # an X25519 recipient of age, in Bech32
ID_DIGITS = 32


@dataclass(frozen=True, slots=True)
class Hold:
    """What is asked for. `device`: the camera; `since`, `until`: the window of capture, its end not
    in it; `read_id`: that one read of it, or None for all; `holder`: whose key opens what is kept
    (`age1…`). At `expires_at` it ends.
    """

    city: str
    recipient: str
    reference: str
    device: str
    since: datetime
    until: datetime
    holder: str
    issued_at: datetime
    expires_at: datetime
    read_id: str | None = None

    def covers(self, device: str, read_id: str, captured_at: datetime) -> bool:
        """Is it one of the reads that are to be kept?"""
        return (
            device == self.device
            and self.since <= captured_at < self.until
            and self.read_id in {None, read_id}
        )


def hold_id(payload: bytes) -> str:
    """Its name in files, leaves and lists: the same however many have signed it."""
    return hashlib.sha256(payload).hexdigest()[:ID_DIGITS]


def format_hold(hold: Hold) -> bytes:
    """The hold's JSON, to be signed by those whom the hold rules name."""
    told: dict[str, object] = {
        "v": VERSION,
        "city": hold.city,
        "recipient": hold.recipient,
        "reference": hold.reference,
        "device": hold.device,
        "since": rfc3339(hold.since),
        "until": rfc3339(hold.until),
        "holder": hold.holder,
        "issued_at": rfc3339(hold.issued_at),
        "expires_at": rfc3339(hold.expires_at),
    }
    if hold.read_id is not None:
        told["read"] = hold.read_id
    return canonical(told)


def parse_hold(untrusted_json: bytes) -> Hold:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("v", "city", "recipient", "reference", "device", "since", "until", "holder")
    fields = Fields(
        parse_object(untrusted_json, WHERE),
        WHERE,
        required=(*names, "issued_at", "expires_at"),
        optional=("read",),
    )
    fields.exactly("v", VERSION)
    hold = Hold(
        city=fields.text("city"),
        recipient=fields.identifier("recipient"),
        reference=fields.pattern("reference", REFERENCE, REFERENCE_RULE),
        device=fields.identifier("device"),
        since=fields.moment("since"),
        until=fields.moment("until"),
        holder=fields.pattern("holder", HOLDER, "an X25519 recipient of age"),
        issued_at=fields.moment("issued_at"),
        expires_at=fields.moment("expires_at"),
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits")
        if "read" in fields
        else None,
    )
    if hold.since >= hold.until:
        raise fields.bad("until", "later than `since`")
    # Mitigates against: an order to watch. A hold keeps what was read; it asks for nothing new.
    if hold.until > hold.issued_at:
        raise fields.bad("until", "no later than `issued_at`: a hold keeps what was read already")
    if hold.expires_at <= hold.issued_at:
        raise fields.bad("expires_at", "later than `issued_at`")
    return hold


def require_within(hold: Hold, rules: HoldRules) -> None:
    """Raises EnvelopeRefusedError for another city's hold, and for one that is wider or longer than
    its rules permit.
    """
    if hold.city != rules.city:
        raise EnvelopeRefusedError(
            Reason.HOLD_OTHER_CITY,
            f"is of {hold.city!a}; this recipient's rules are of {rules.city!a}",
            where=WHERE,
            fix="ask those who may order holds in this city",
        )
    window, length = hold.until - hold.since, hold.expires_at - hold.issued_at
    for found, most, what in (
        (window, rules.longest_window, "a window"),
        (length, rules.longest_hold, "a hold"),
    ):
        if found > most:
            raise EnvelopeRefusedError(
                Reason.HOLD_TOO_WIDE,
                f"asks for {what} of {found}; at most {most} is permitted",
                where=WHERE,
                fix="ask for less, or ask the council: [holds] in the charter says how much",
            )
