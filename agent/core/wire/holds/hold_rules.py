"""Who may order a hold, and how wide it may be (docs/ref/holds.md): the charter's [holds], as the
holders of the city's root sign it for recipients. Parsing and writing, no cryptography.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import Fields, canonical, parse_object, public_jwk
from agent.values import dataclass

TYP = "platewarden-hold-rules"
VERSION = 1
WHERE = "hold rules"
MOST_SIGNERS, LEAST_HANDS = 10, 2
MOST_MINUTES, MOST_DAYS = 1_440, 400
"""Of any charter: a day of one camera, kept for thirteen months."""


@dataclass(frozen=True, slots=True)
class HoldRules:
    """`signers`: raw Ed25519 keys, 32 bytes, and their holders, of whom `threshold` must sign."""

    city: str
    signers: Mapping[bytes, str]
    threshold: int
    minutes: int
    days: int

    @property
    def longest_window(self) -> timedelta:
        """Of one hold, at one camera."""
        return timedelta(minutes=self.minutes)

    @property
    def longest_hold(self) -> timedelta:
        """From its issue to its end."""
        return timedelta(days=self.days)


def format_rules(rules: HoldRules, issued_at: datetime) -> bytes:
    """The rules' JSON, to be signed by the city root."""
    return canonical(
        {
            "v": VERSION,
            "city": rules.city,
            "issued_at": rfc3339(issued_at),
            "signers": [
                {"name": name, "key": public_jwk("Ed25519", key)}
                for key, name in sorted(rules.signers.items())
            ],
            "threshold": rules.threshold,
            "window_minutes": rules.minutes,
            "days": rules.days,
        }
    )


def parse_rules(untrusted_json: bytes) -> HoldRules:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed), also for a key or a name that is
    there twice: one person would be two.
    """
    fields = Fields(
        parse_object(untrusted_json, WHERE),
        WHERE,
        required=("v", "city", "issued_at", "signers", "threshold", "window_minutes", "days"),
    )
    fields.exactly("v", VERSION)
    fields.moment("issued_at")
    signers: dict[bytes, str] = {}
    for index, entry in enumerate(fields.sequence("signers", MOST_SIGNERS)):
        one = Fields(entry, f"{WHERE}: signer {index}", required=("name", "key"))
        key, name = one.public_key("key", "Ed25519"), one.text("name", most=64)
        if key in signers or name in signers.values():
            raise fields.bad("signers", "people of whom each is named once")
        signers[key] = name
    if len(signers) < LEAST_HANDS:
        raise fields.bad("signers", f"{LEAST_HANDS} people at least")
    return HoldRules(
        city=fields.text("city"),
        signers=signers,
        threshold=fields.whole("threshold", LEAST_HANDS, len(signers)),
        minutes=fields.whole("window_minutes", 1, MOST_MINUTES),
        days=fields.whole("days", 1, MOST_DAYS),
    )
