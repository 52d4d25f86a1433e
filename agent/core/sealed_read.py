"""The sealed read's tags and wire form (docs/ref/sealed-read.md): parsing and writing, no cryptography.

Wire form: `<compact JWE>\\n<protected>..<signature>` (RFC 7516 and detached RFC 7797 JWS).
"""

from dataclasses import dataclass
from datetime import date, datetime

from agent.core.instant import ClockTrust
from agent.core.policy import MatchLevel

VERSION = 1


@dataclass(frozen=True, slots=True)
class Tags:
    """What rides readable but authenticated in the JWE protected header, member `alpr`.

    `read_id`: 32 lower-case hex digits, random. `sequence`: 1, 2, 3 … per device and recipient.
    `epoch`: the UTC day at whose end the recipient destroys the key; `deadline`: that instant.
    """

    read_id: str
    device: str
    sequence: int
    captured_at: datetime
    clock: ClockTrust
    policy_name: str
    policy_version: int
    policy_digest: str
    rule: str
    category: str
    match: MatchLevel
    recipient: str
    purpose: str
    epoch: date
    deadline: datetime


@dataclass(frozen=True, slots=True)
class SealedRead:
    """Ciphertext and its readable tags; `wire` is what is stored, published and signed over."""

    tags: Tags
    wire: bytes


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a recipient says of one sealed read: `outcome` is "stored" or "rejected:<reason>". `wire_sha256`: lower-case hex."""

    read_id: str
    wire_sha256: str
    device: str
    recipient: str
    outcome: str
    at: datetime

    @property
    def stored(self) -> bool:
        return self.outcome == "stored"
