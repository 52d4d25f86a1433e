"""Small text encodings that several formats share: unpadded base64url (RFC 7515) and SPKI pins (RFC
7469).
"""

import base64
import binascii
import hashlib

PIN_PREFIX = "sha256/"
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_PLAIN = bytes.maketrans(b"-_", b"+/")


def b64url(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def from_b64url(untrusted_text: str) -> bytes:
    """The inverse, strict: no padding, no other alphabet, no stray bits. Raises ValueError."""
    data = untrusted_text.encode("ascii")
    b64url_bytes(data)
    return from_checked_b64url(data)


def from_checked_b64url(text: bytes) -> bytes:
    """The same of a text that `b64url_bytes` has taken already."""
    return binascii.a2b_base64(text.translate(_TO_PLAIN) + b"=" * (-len(text) % 4))


def b64url_bytes(untrusted_text: bytes) -> int:
    """How many bytes the text stands for, which is checked and not decoded: a sealed read's
    ciphertext is long.

    Raises ValueError as `from_b64url` does.
    """
    whole, rest = divmod(len(untrusted_text), 4)
    if (
        untrusted_text.translate(None, _ALPHABET)
        or (whole, rest) == (0, 0)
        or rest == 1
        # the last character holds bits of no byte: they must be 0, or one value has many spellings
        or (rest and _ALPHABET.index(untrusted_text[-1:]) % (64 >> 2 * (rest - 1)))
    ):
        msg = "not unpadded base64url"
        raise ValueError(msg)
    return whole * 3 + max(rest - 1, 0)


def spki_pin(spki_der: bytes) -> str:
    """`sha256/<base64>` over a DER SubjectPublicKeyInfo."""
    return PIN_PREFIX + base64.b64encode(hashlib.sha256(spki_der).digest()).decode("ascii")
