"""Signs a webhook's message as Standard Webhooks has it (https://www.standardwebhooks.com, version
1): over id, time and body, joined by dots.

`whsec_…`: HMAC-SHA-256, told as `v1,…`. `whsk_…`: Ed25519, told as `v1a,…`; whoever receives it
then holds only the public half, `whpk_…`.
"""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.disk.private_file import read_private
from agent.errors import StorageError

HMAC, ED25519 = "whsec_", "whsk_"
LEAST_BYTES, MOST_BYTES = 24, 64  # of an HMAC's secret, as the standard has it
SEED_BYTES, PAIR_BYTES = 32, 64  # of an Ed25519 key: the seed, or with its public half behind it
Sign = Callable[[bytes], str]


def signing(path: Path) -> Sign:
    """Makes the value of `webhook-signature`. Raises StorageError; the secret is never in it."""
    text = read_private(path).decode("ascii", "replace").strip()
    prefix = next((one for one in (HMAC, ED25519) if text.startswith(one)), "")
    try:
        secret = base64.b64decode(text.removeprefix(prefix), validate=True)
    except binascii.Error:
        secret = b""
    if prefix == HMAC and LEAST_BYTES <= len(secret) <= MOST_BYTES:
        return lambda signed: f"v1,{_text(hmac.digest(secret, signed, 'sha256'))}"
    if prefix == ED25519 and len(secret) in {SEED_BYTES, PAIR_BYTES}:
        key = Ed25519PrivateKey.from_private_bytes(secret[:SEED_BYTES])
        if secret[SEED_BYTES:] in {b"", key.public_key().public_bytes_raw()}:
            return lambda signed: f"v1a,{_text(key.sign(signed))}"
    raise StorageError(
        "holds no secret of Standard Webhooks",
        where=path,
        fix=f"one line: {HMAC} and {LEAST_BYTES} to {MOST_BYTES} bytes in base64, or {ED25519} and "
        "an Ed25519 key",
    )


def headers(sign: Sign, message_id: str, at_s: int, body: bytes) -> Mapping[str, str]:
    """`at_s`: seconds since 1970, of this try."""
    signed = f"{message_id}.{at_s}.".encode("ascii") + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": sign(signed),
    }


def _text(signature: bytes) -> str:
    return base64.b64encode(signature).decode()
