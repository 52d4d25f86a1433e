"""Ed25519 signatures over our JOSE forms, with public keys only; every foreign error becomes one
refusal.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from agent.core.reasons import Reason
from agent.core.text.strict_json import (
    Fields,
    decode_base64url,
    malformed,
    parse_object,
)
from agent.core.wire.sealed_read import SIGNATURE_ALGORITHM, Envelope
from agent.errors import EnvelopeRefusedError

MAX_DOCUMENT_BYTES = 1 << 20
MAX_KEYS = 4_096  # kept as objects: more cameras than a receiver meets in an hour


def verify_detached(envelope: Envelope, raw_key: bytes) -> None:
    """The outer signature over the exact bytes of the JWE.

    Raises EnvelopeRefusedError(signature-invalid).
    """
    _verify(
        f"{envelope.jws_protected}.".encode("ascii") + envelope.jwe,
        decode_base64url(envelope.signature, "signature"),
        raw_key,
        "sealed read",
    )


def verify_compact(
    untrusted_text: bytes,
    typ: str,
    raw_key: bytes,
    *,
    where: str,
    max_bytes: int = MAX_DOCUMENT_BYTES,
) -> bytes:
    """The payload of a compact JWS whose header is exactly {"alg":"Ed25519","typ":typ}.

    Raises EnvelopeRefusedError(malformed or signature-invalid).

    `typ` keeps one signing key's documents apart: a receipt can never stand in for a key list.
    """
    header, payload, signature = _segments(untrusted_text, where, max_bytes)
    fields = Fields(
        parse_object(decode_base64url(header, where), where), where, required=("alg", "typ")
    )
    fields.exactly("alg", SIGNATURE_ALGORITHM)
    fields.exactly("typ", typ)
    signed = f"{header}.{payload}".encode("ascii")
    _verify(signed, decode_base64url(signature, where), raw_key, where)
    return decode_base64url(payload, where)


def untrusted_payload(untrusted_text: bytes, *, where: str, max_bytes: int) -> bytes:
    """The payload before any check of the signature: only for finding out whose key to check it
    with.
    """
    return decode_base64url(_segments(untrusted_text, where, max_bytes)[1], where)


def _segments(untrusted_text: bytes, where: str, max_bytes: int) -> tuple[str, str, str]:
    if len(untrusted_text) > max_bytes:
        raise malformed(f"is longer than {max_bytes} bytes", where)
    try:
        segments = untrusted_text.decode("ascii").removesuffix("\n").split(".")
    except UnicodeDecodeError:
        raise malformed("is not ASCII text", where) from None
    if len(segments) != 3:
        raise malformed("is not a compact JWS of three segments", where)
    return segments[0], segments[1], segments[2]


@lru_cache(MAX_KEYS)
def _public_key(raw_key: bytes) -> Ed25519PublicKey:
    """The same few keys verify everything: each is taken in once. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(raw_key)


def _verify(signed: bytes, signature: bytes, raw_key: bytes, where: str) -> None:
    """Ed25519 (RFC 8032) over a JWS signing input (RFC 7515 5.2, RFC 7797 5.1).

    The callers have compared the header with the one that we write, member by member, so there is
    no algorithm to choose and no extension to heed.
    """
    try:
        _public_key(raw_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        raise EnvelopeRefusedError(
            Reason.SIGNATURE_INVALID,
            "the signature does not match: altered, or signed by another key",
            where=where,
        ) from None
