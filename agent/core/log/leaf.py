"""What a leaf of the audit log says and how it is committed to: salted, bounded, in canonical JSON
(docs/ref/audit-log.md).
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from enum import StrEnum

from agent.core.log.merkle import leaf_hash

SALT_BYTES = 32
MAX_TEXT = 200
MAX_DETAILS_BYTES = 16_384
_MAX_ITEMS = 64
_MAX_DEPTH = 4


class LeafKind(StrEnum):
    """Every kind of leaf. Codes are stable: they stand in logs and reports."""

    START = "start"
    STOP = "stop"
    RELEASE = "release"
    REFUSAL = "refusal"
    WITHDRAWAL = "withdrawal"
    EXPIRED = "expired"
    RECEIPT = "receipt"
    OVERFLOW = "overflow"
    LOST = "lost"
    MISSING = "missing"
    COUNTS = "counts"
    POLICY = "policy"
    KEYS = "keys"
    BUNDLES = "bundles"
    CLOCK = "clock"
    DECOMMISSION = "decommission"
    AIM = "aim"
    CAMERA = "camera"
    HOTLIST = "hotlist"
    CHECKPOINT = "checkpoint"
    OUTCOME = "outcome"
    ACCESS = "access"
    HOLD = "hold"
    SOFTWARE = "software"


def canonical(details: Mapping[str, object]) -> bytes:
    """Details as bytes: JSON, keys sorted, no spaces, ASCII.

    Texts are cut to 200 characters and control characters masked, so that no stranger's text can
    fill the log or speak to the auditor's terminal.

    Raises TypeError for a value that is not plain JSON: a plate (PlateText), an array or bytes
    cannot slip in (P9).
    """
    encoded = json.dumps(
        _bounded(details, 0), sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode("ascii")
    if len(encoded) > MAX_DETAILS_BYTES:
        msg = f"a leaf's details exceed {MAX_DETAILS_BYTES} bytes"
        raise ValueError(msg)
    return encoded


def salted_leaf_hash(salt: bytes, details: bytes) -> bytes:
    """Leaf data = SHA-256(salt ‖ details); leaf hash = SHA-256(0x00 ‖ leaf data).

    Without the salt nobody can guess details.
    """
    return leaf_hash(hashlib.sha256(salt + details).digest())


def clean_text(untrusted_text: str) -> str:
    """Printable and at most 200 characters."""
    if len(untrusted_text) <= MAX_TEXT and untrusted_text.isprintable():
        return untrusted_text
    kept = "".join(
        character if character.isprintable() else "?" for character in untrusted_text[:MAX_TEXT]
    )
    return kept if len(untrusted_text) <= MAX_TEXT else kept[: MAX_TEXT - 1] + "…"


def _bounded(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return clean_text(str(value))
    if depth < _MAX_DEPTH and isinstance(value, Mapping) and len(value) <= _MAX_ITEMS:
        return {clean_text(key): _bounded(item, depth + 1) for key, item in value.items()}
    if (
        depth < _MAX_DEPTH
        and isinstance(value, Sequence)
        and not isinstance(value, bytes | bytearray | memoryview)
        and len(value) <= _MAX_ITEMS
    ):
        return [_bounded(item, depth + 1) for item in value]
    msg = f"a leaf's details hold plain, small values only, not {type(value).__name__}"
    raise TypeError(msg)
