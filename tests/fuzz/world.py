"""The fixed world around the targets: keys that anybody can make again, folders in memory.

Keys are fixed, else what a corpus keeps would be signed by nobody in the next run.
"""

import base64
import hashlib
import json
import os
import tempfile
from functools import cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from agent.core.text.encoding import b64url
from tests.golden.make import seed

GOLDEN = Path(__file__).parents[1] / "golden/read-1.json"
EXAMPLE = Path(__file__).parents[2] / "config/policies/exampleville"
DEVICE, RECIPIENT = "cam-golden-1", "exampleville-pd"
MEMORY = Path("/dev/shm")
PLACE = "FUZZ_FOLDER"
"""The variable by which the runner says where this process may make folders; it removes them."""
made: list[Path] = []
"""Folders of this process, to be removed at its end."""


def ed25519(name: str) -> Ed25519PrivateKey:
    """The private key of this name, the same each time."""
    return Ed25519PrivateKey.from_private_bytes(seed(name))


def p256(name: str) -> ec.EllipticCurvePrivateKey:
    """The same, for certificate requests."""
    return ec.derive_private_key(int.from_bytes(seed(name), "big") >> 1, ec.SECP256R1())


DEVICE_KEY, RECIPIENT_KEY, ROOT_KEY = (ed25519(name) for name in ("device", "recipient", "root"))


@cache
def golden() -> dict[str, object]:
    """The golden read, its keys and its documents."""
    return json.loads(GOLDEN.read_bytes())


@cache
def epoch_key() -> X25519PrivateKey:
    """That of the golden read's epoch: `make` gives each day its own seed by number."""
    wanted = golden()["epoch_private_key"]["x"]
    for number in range(30):
        key = X25519PrivateKey.from_private_bytes(seed(f"epoch {number}"))
        if b64url(key.public_key().public_bytes_raw()) == wanted:
            return key
    raise AssertionError("the golden vector was made otherwise")


def memory() -> Path | None:
    """Where files need no disk; None: this machine has no such place."""
    return MEMORY if MEMORY.is_dir() else None


@cache
def folder(name: str) -> Path:
    """A folder of this process, in memory where the machine has such a place."""
    path = Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-", dir=os.environ.get(PLACE) or memory()))
    made.append(path)
    return path


def compact(key: Ed25519PrivateKey, typ: str, payload: bytes) -> bytes:
    """A compact JWS by hand: signing must not check what is signed."""
    header = b64url(json.dumps({"alg": "Ed25519", "typ": typ}, separators=(",", ":")).encode())
    signed = f"{header}.{b64url(payload)}".encode()
    return signed + b"." + b64url(key.sign(signed)).encode()


def outer(jwe: bytes) -> bytes:
    """The second line that the golden camera would write under these bytes."""
    header = b64url(
        json.dumps(
            {"alg": "Ed25519", "b64": False, "crit": ["b64"], "kid": DEVICE}, separators=(",", ":")
        ).encode()
    )
    signature = b64url(DEVICE_KEY.sign(header.encode() + b"." + jwe))
    return jwe + b"\n" + f"{header}..{signature}".encode()


def der(tag: int, content: bytes) -> bytes:
    """One DER value."""
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + content


def pem(what: str, data: bytes) -> str:
    """DER in PEM."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {what}-----", *lines, f"-----END {what}-----", ""])


def digest(data: bytes) -> bytes:
    """SHA-256."""
    return hashlib.sha256(data).digest()
