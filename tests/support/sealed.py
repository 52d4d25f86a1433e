"""Made-up sightings, releases, keys and rosters for tests of sealing, verifying and receiving.

Every plate is fictitious.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

from agent.core.policy.policy import Match, Release
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Sighting
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.match_level import MatchLevel
from agent.sealing.sealer import Sealer

DEVICE, RECIPIENT, PLATE = "cam-test-1", "exampleville-pd", "TST0042"
CAPTURED = datetime(2027, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
FIRST_EPOCH = CAPTURED.date()
EVERYTHING = frozenset({"plate", "crop", "captured_at", "camera"})


def sighting(captured: datetime = CAPTURED, width: int = 160, height: int = 48) -> Sighting:
    """A made-up vehicle with a noisy picture of nothing."""
    picture = np.random.default_rng(7).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Sighting(
        text=PlateText(PLATE),
        confidence=0.97,
        char_confidence=(0.99, 0.99, 0.99, 0.97, 0.98, 0.99, 0.99),
        alternatives=(Alternative(PlateText("TSTO042"), 0.02),),
        region="us",
        state="CA",
        crop=picture,
        captured=Instant(captured, ClockTrust.OS),
        camera=DEVICE,
        frames=9,
    )


def release(
    recipient: str = RECIPIENT, retention_days: int = 21, include: frozenset[str] = EVERYTHING
) -> Release:
    """Leave to seal it."""
    return Release(
        rule="stolen-and-amber",
        recipient=recipient,
        purpose="stolen-vehicle-recovery",
        retention_days=retention_days,
        include=include,
        match=Match(
            "stolen-vehicle",
            MatchLevel.EXACT,
            "Exampleville PD",
            "2026-0118",
            date(2027, 1, 10),
            posterior=0.97436,
        ),
        policy_name="City of Exampleville ALPR policy",
        policy_version=7,
        policy_digest="ab" * 32,
    )


@dataclass
class Parties:
    """One camera and one recipient with their keys.

    `epochs`: the recipient's private keys by day.
    """

    device_key: Ed25519PrivateKey
    recipient_key: Ed25519PrivateKey
    root_key: Ed25519PrivateKey
    epochs: dict[date, X25519PrivateKey]

    @classmethod
    def make(cls, first: date = FIRST_EPOCH, days: int = 40) -> "Parties":
        epochs = {first + timedelta(days=n): X25519PrivateKey.generate() for n in range(days)}
        return cls(
            Ed25519PrivateKey.generate(),
            Ed25519PrivateKey.generate(),
            Ed25519PrivateKey.generate(),
            epochs,
        )

    def epoch_keys(self, issued_at: datetime = CAPTURED) -> EpochKeys:
        return EpochKeys(
            RECIPIENT,
            issued_at,
            {day: key.public_key().public_bytes_raw() for day, key in self.epochs.items()},
        )

    def sealer(self) -> Sealer:
        return Sealer(DEVICE, self.device_key, {RECIPIENT: self.epoch_keys()})

    def enrolled(self) -> dict[str, bytes]:
        return {DEVICE: self.device_key.public_key().public_bytes_raw()}


def sign_compact(key: Ed25519PrivateKey, typ: str, payload: bytes, **more: object) -> bytes:
    """A compact JWS as the city and the recipients write it; `more`: header members that do not
    belong there.
    """
    return jws.serialize_compact(
        {"alg": "Ed25519", "typ": typ, **more},
        payload,
        OKPKey.import_key(key),
        algorithms=["Ed25519"],
    ).encode()
