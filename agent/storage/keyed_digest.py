"""A digest that only this device can make: for what is logged of a text that others might guess.

Mitigates against: whoever holds the log, and a guess of the whole hot list, asks the log whether
the guess is right. A plain digest answers.
"""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from agent.storage.log_key import load_signing_key

if TYPE_CHECKING:
    from pathlib import Path

_LABEL = b"platewarden hotlist_digest 1"


def keyed_digest(log_key: Path, digest: str) -> str:
    """HMAC-SHA-256 of `digest`'s text, 64 hex digits, under a key made of the log's: the same after
    a restart, another on another device.

    Raises StorageError.
    """
    secret = load_signing_key(log_key).private_bytes_raw()
    key = HKDF(SHA256(), length=32, salt=None, info=_LABEL).derive(secret)
    return hmac.digest(key, digest.encode("ascii"), "sha256").hex()
