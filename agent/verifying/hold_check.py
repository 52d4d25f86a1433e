"""Checks who ordered a hold: enough of the people whom the city's hold rules name, and the rules by
the city's root.
"""

from agent import boundary
from agent.core.reasons import Reason
from agent.core.wire.holds import hold_rules
from agent.core.wire.holds.hold import TYP, WHERE, Hold, hold_id, parse_hold, require_within
from agent.core.wire.holds.hold_rules import HoldRules, parse_rules
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass
from agent.verifying import jose
from agent.verifying.roster_check import RosterRoot

MAX_BYTES = 16_384


@dataclass(frozen=True, slots=True)
class SignedHold:
    """A hold that is believed. `signers`: who has signed; `record`: the bytes that say so."""

    id: str
    hold: Hold
    signers: tuple[str, ...]
    record: bytes


@boundary.document("hold rules")
def verify_hold_rules(untrusted_text: bytes, root: RosterRoot) -> HoldRules:
    """The rules of a JWS that enough of the city root's keys have signed.

    Raises EnvelopeRefusedError.
    """
    return parse_rules(
        jose.verify_general(
            untrusted_text,
            hold_rules.TYP,
            root.keys,
            root.threshold,
            where=hold_rules.WHERE,
            max_bytes=MAX_BYTES,
        )
    )


@boundary.document("hold")
def verify_hold(untrusted_text: bytes, rules: HoldRules) -> SignedHold:
    """The hold of a JWS that enough of its signers have signed, within the rules. Nothing in it is
    read before.

    Raises EnvelopeRefusedError(malformed, signature-invalid, hold-too-wide, hold-other-city).
    """
    payload = jose.verify_general(
        untrusted_text, TYP, tuple(rules.signers), rules.threshold, where=WHERE, max_bytes=MAX_BYTES
    )
    hold = parse_hold(payload)
    require_within(hold, rules)
    return SignedHold(hold_id(payload), hold, signers_of(untrusted_text, rules), untrusted_text)


def signers_of(untrusted_text: bytes, rules: HoldRules) -> tuple[str, ...]:
    """Who of the rules' signers has signed, each once, by name.

    Raises EnvelopeRefusedError(malformed).
    """
    _, signatures = jose.signatures_of(untrusted_text, TYP, where=WHERE, max_bytes=MAX_BYTES)
    return tuple(sorted(rules.signers[key] for key in jose.by_key(signatures, rules.signers)))


@boundary.document("hold")
def claimed_hold(record: bytes) -> Hold:
    """What a record says, unverified: for showing one that was verified when it was applied, whose
    signers may have changed since.

    Raises EnvelopeRefusedError(malformed).
    """
    payload, _ = jose.signatures_of(record, TYP, where=WHERE, max_bytes=MAX_BYTES)
    return parse_hold(payload)


def require_current(hold: Hold, recipient: str, *, reached: bool) -> None:
    """Refuse a hold of another recipient, and one that has `reached` its end."""
    if hold.recipient != recipient:
        raise EnvelopeRefusedError(
            Reason.NOT_FOR_THIS_RECIPIENT,
            f"is for {hold.recipient}, not {recipient}",
            where=WHERE,
            fix="give it to that recipient",
        )
    if reached:
        raise EnvelopeRefusedError(
            Reason.HOLD_EXPIRED,
            f"has ended: it expired at {hold.expires_at:%Y-%m-%d %H:%M} UTC",
            where=WHERE,
            fix="ask for a new one while the reads are still there",
        )
