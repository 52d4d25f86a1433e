"""Small text encodings that several formats share: unpadded base64url (RFC 7515) and SPKI pins (RFC
7469).
"""

import base64
import binascii
import hashlib

PIN_PREFIX = "sha256/"


def b64url(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(untrusted_text: str) -> bytes:
    """The inverse, strict: no padding, no other alphabet, no stray bits. Raises ValueError."""
    try:
        data = base64.b64decode(
            untrusted_text + "=" * (-len(untrusted_text) % 4), altchars=b"-_", validate=True
        )
    except (binascii.Error, ValueError):
        data = b""
    if not data or b64url(data) != untrusted_text:
        msg = "not unpadded base64url"
        raise ValueError(msg)
    return data


def spki_pin(spki_der: bytes) -> str:
    """`sha256/<base64>` over a DER SubjectPublicKeyInfo."""
    return PIN_PREFIX + base64.b64encode(hashlib.sha256(spki_der).digest()).decode("ascii")
