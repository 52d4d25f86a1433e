"""Writes read-1.json anew.

Only for a new version of the format: the vectors exist so that it cannot drift unnoticed.

python -m tests.golden.make
"""

import dataclasses
import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.policy.policy import Match, Release
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Sighting
from agent.core.text.encoding import b64url
from agent.core.text.strict_json import public_jwk
from agent.core.time.instant import ClockTrust, Instant
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.key_list import format_key_list
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.receipt import Receipt, format_receipt
from agent.sealing.sealer import Sealer
from agent.verifying.roster_check import Roster, format_roster
from tests.golden.alterations import alterations
from tests.support.sealed import sign_compact

CAPTURED = datetime(2027, 1, 15, 12, 0, 0, 123_000, tzinfo=UTC)
DEVICE, RECIPIENT = "cam-golden-1", "exampleville-pd"
VECTOR = Path(__file__).parent / "read-1.json"


def seed(name: str) -> bytes:
    """32 fixed bytes: anybody can make these keys again, nobody may use them."""
    return hashlib.sha256(f"platewarden golden vector 1: {name}".encode()).digest()


def picture() -> np.ndarray:
    """A grey card with a made-up text."""
    card = np.full((40, 120, 3), 210, np.uint8)
    cv2.putText(card, "GLD0001", (6, 28), cv2.FONT_HERSHEY_SIMPLEX, 0.75, (30, 30, 30), 2)
    return card


def make() -> dict[str, object]:
    """All of the vector; the random parts of the encryption differ each time."""
    device, recipient, root = (
        Ed25519PrivateKey.from_private_bytes(seed(name)) for name in ("device", "recipient", "root")
    )
    epochs = {
        date(2027, 1, 15) + timedelta(days=n): X25519PrivateKey.from_private_bytes(
            seed(f"epoch {n}")
        )
        for n in range(30)
    }
    keys = EpochKeys(
        RECIPIENT,
        CAPTURED,
        {day: key.public_key().public_bytes_raw() for day, key in epochs.items()},
    )
    sighting = Sighting(
        PlateText("GLD0001"),
        0.9731,
        (0.99,) * 7,
        (Alternative(PlateText("GLDO001"), 0.0123),),
        "us",
        None,
        picture(),
        Instant(CAPTURED, ClockTrust.OS),
        DEVICE,
        9,
    )
    match = Match(
        "stolen-vehicle",
        MatchLevel.TEXT,
        "Exampleville PD",
        "2027-0001",
        date(2027, 1, 10),
        posterior=0.9274,
    )
    include = frozenset({"plate", "crop", "captured_at", "camera"})
    release = Release(
        "stolen-and-amber",
        RECIPIENT,
        "stolen-vehicle-recovery",
        21,
        include,
        match,
        "City of Exampleville ALPR policy",
        7,
        "ab" * 32,
    )
    sealed = Sealer(DEVICE, device, {RECIPIENT: keys}).seal(sighting, release, 42)
    receipt = Receipt(
        sealed.tags.read_id,
        hashlib.sha256(sealed.wire).hexdigest(),
        DEVICE,
        RECIPIENT,
        "stored",
        CAPTURED + timedelta(seconds=9),
    )
    roster = Roster(
        "City of Exampleville", CAPTURED, {DEVICE: device.public_key().public_bytes_raw()}
    )
    epoch_key = epochs[sealed.tags.epoch]
    return {
        "warning": "published test keys and a fictitious plate: never use them",
        "device": DEVICE,
        "recipient": RECIPIENT,
        "root_key": public_jwk("Ed25519", root.public_key().public_bytes_raw()),
        "recipient_signing_key": public_jwk("Ed25519", recipient.public_key().public_bytes_raw()),
        "epoch_private_key": {
            **public_jwk("X25519", epoch_key.public_key().public_bytes_raw()),
            "d": b64url(epoch_key.private_bytes_raw()),
        },
        "roster": sign_compact(root, "platewarden-roster", format_roster(roster)).decode(),
        "key_list": sign_compact(
            recipient, "platewarden-epoch-keys", format_key_list(keys)
        ).decode(),
        "receipt": sign_compact(recipient, "platewarden-receipt", format_receipt(receipt)).decode(),
        "wire": sealed.wire.decode(),
        "wire_sha256": hashlib.sha256(sealed.wire).hexdigest(),
        "epoch": sealed.tags.epoch.isoformat(),
        "deadline": "2027-02-05T00:00:00.000Z",
        "seq": 42,
        "plate": "GLD0001",
        "confidence": 0.9731,
        "case": "2027-0001",
        "posterior": 0.9274,
        "refused": [
            dataclasses.asdict(alteration)
            for alteration in alterations(sealed.wire.decode(), device)
        ],
    }


if __name__ == "__main__":
    VECTOR.write_text(json.dumps(make(), indent=1) + "\n", encoding="ascii")
