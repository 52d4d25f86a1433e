"""A city that may order holds: signers, rules, records, and a holder's key. For tests."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.encoding import b64url
from agent.core.text.strict_json import canonical
from agent.core.time.instant import Instant
from agent.core.wire.holds import hold_rules
from agent.core.wire.holds.hold import TYP, Hold, format_hold
from agent.core.wire.holds.hold_rules import HoldRules, format_rules
from agent.core.wire.sealed_read import SealedRead
from agent.receiver.intake import Intake
from agent.receiver.workplace import Workplace
from tests.support.delivery_rig import raw
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, DEVICE, RECIPIENT, sign_compact

CITY = "City of Exampleville"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NAMES = ("A. Judge", "B. Clerk", "C. Counsel")


def take(place: Workplace, read: SealedRead, now: Instant) -> None:
    """Into the receiver's store, as if it had come from its camera."""
    with closing(place.store()) as store:
        intake = Intake(place.recipient, place.opener(), store, place.signer())
        assert intake.take(read.wire, now).outcome == "stored"


def signed(payload: bytes, keys, typ: str = TYP) -> bytes:
    """A JWS in the general form, one signature for each key."""
    header = b64url(canonical({"alg": "Ed25519", "typ": typ}))
    over = f"{header}.{b64url(payload)}".encode("ascii")
    signatures = [{"protected": header, "signature": b64url(key.sign(over))} for key in keys]
    return canonical({"payload": b64url(payload), "signatures": signatures}) + b"\n"


class Court:
    """Three signers of whom two must sign, and one holder. `grant` puts the rules into a receiver's
    folder.
    """

    def __init__(self, folder: Path, minutes: int = 120, days: int = 90) -> None:
        self.keys = [Ed25519PrivateKey.generate() for _ in NAMES]
        self.rules = HoldRules(
            CITY, dict(zip(map(raw, self.keys), NAMES, strict=True)), 2, minutes, days
        )
        self.identity = pyrage.x25519.Identity.generate()
        self.holder = str(self.identity.to_public())
        self.holder_key = folder / "holder.key"
        self.holder_key.write_text(f"{self.identity}\n")
        self.holder_key.chmod(0o600)

    def grant(self, enrolled: Enrolled) -> None:
        text = sign_compact(
            enrolled.root_key, hold_rules.TYP, format_rules(self.rules, enrolled.now.utc)
        )
        (enrolled.folder / "hold-rules.jws").write_bytes(text)

    def hold(self, **changes: object) -> Hold:
        """Of an hour around CAPTURED, for thirty days."""
        asked: dict[str, object] = {
            "city": CITY,
            "recipient": RECIPIENT,
            "reference": "27CR-0042",
            "device": DEVICE,
            "since": CAPTURED - HOUR / 2,
            "until": CAPTURED + HOUR / 2,
            "holder": self.holder,
            "issued_at": CAPTURED + HOUR,
            "expires_at": CAPTURED + 30 * DAY,
        }
        return Hold(**{**asked, **changes})

    def record(self, hands: int = 2, **changes: object) -> bytes:
        """A hold, signed by so many."""
        return signed(format_hold(self.hold(**changes)), self.keys[:hands])
