"""Audit logs and sealed reads for tests of storage: made-up values, a fixed key, and ways to tamper
with a closed log.
"""

import base64
import json
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.log.checkpoint import origin_of
from agent.core.log.leaf import canonical, salted_leaf_hash
from agent.core.time.instant import ClockTrust
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.tags import Tags
from agent.storage.audit_log import AuditLog
from agent.storage.log_key import TrustedLogKeys
from tests.fakes.clock import FakeClock

DEVICE = "cam-test-1"
ORIGIN = origin_of(DEVICE, "watch")
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TRUSTED = TrustedLogKeys({ORIGIN: KEY.public_key()}, Path("public.json"))


class TickingClock(FakeClock):
    """One second passes with every look."""

    def now(self):
        self.advance(1)
        return super().now()


def open_log(folder: Path, key=KEY, origin=ORIGIN, clock=None) -> AuditLog:
    return AuditLog(folder / "log.sqlite", origin, key, (clock or TickingClock()).now)


@cache
def _files(leaves: int) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        return {
            path.name: path.read_bytes()
            for path in write_log(Path(folder) / "watch", leaves).iterdir()
        }


def filled_log(folder: Path, leaves: int = 12) -> Path:
    """A copy of one closed log with a start, releases and a stop (writing one anew costs a sync a
    leaf); its folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in _files(leaves).items():
        (folder / name).write_bytes(data)
    return folder


def write_log(folder: Path, leaves: int = 12) -> Path:
    """The same, written anew with other salts."""
    with open_log(folder) as log:
        log.append("start", {"version": "1"})
        for number in range(1, leaves - 1):
            log.append(
                "release",
                {"read": f"{number:032x}", "recipient": "exampleville-pd", "sequence": number},
            )
        log.append("stop", {})
    return folder


def tamper(folder: Path, *statements: str | tuple[str, tuple[object, ...]]) -> None:
    """Change a closed log's database, as somebody with its file could."""
    with closing(sqlite3.connect(folder / "log.sqlite", isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")  # a test may lose it to a power cut
        for statement in statements:
            connection.execute(*([statement] if isinstance(statement, str) else statement))


def rows(folder: Path, statement: str) -> list[tuple]:
    with closing(sqlite3.connect(folder / "log.sqlite")) as connection:
        return connection.execute(statement).fetchall()


def forged(number: int, **details: object) -> tuple[bytes, bytes, bytes]:
    """Hash, salt and details of a leaf that an attacker recomputed in full."""
    opening = canonical(
        {"kind": "release", "at": "2027-01-15T12:00:30.000Z", "clock": "os", **details, "n": number}
    )
    return salted_leaf_hash(bytes(32), opening), bytes(32), opening


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    raw = key.public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}


def write_public_keys(path: Path, key=KEY, device=DEVICE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        json.dumps(
            {
                "device": device,
                "seal": jwk(OTHER_KEY),
                "watch_log": jwk(key),
                "deliver_log": jwk(OTHER_KEY),
            }
        )
    )
    return path


def sealed_read(
    number: int, sequence: int | None = None, recipient: str = "exampleville-pd", size: int = 200
) -> SealedRead:
    """Not really sealed: storage never looks inside."""
    captured = datetime(2027, 1, 15, 12, tzinfo=UTC) + timedelta(seconds=number)
    tags = Tags(
        read_id=f"{number:032x}",
        device=DEVICE,
        sequence=number if sequence is None else sequence,
        captured_at=captured,
        clock=ClockTrust.OS,
        policy_name="City of Exampleville ALPR policy",
        policy_version=7,
        policy_digest="ab" * 32,
        rule="stolen-and-amber",
        category="stolen-vehicle",
        match=MatchLevel.EXACT,
        recipient=recipient,
        purpose="stolen-vehicle-recovery",
        epoch=date(2027, 2, 4),
        deadline=datetime(2027, 2, 5, tzinfo=UTC),
    )
    return SealedRead(tags, f"wire {number} ".encode().ljust(size, b"."))
