"""Ed25519 signatures over our JOSE forms, with public keys only; every foreign error becomes one
refusal.
"""

from collections.abc import Collection, Iterable, Sequence
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
from agent.values import dataclass

MAX_DOCUMENT_BYTES = 1 << 20
MAX_SIGNATURES = 10  # of one document
_BY_NOBODY = "the signature does not match: altered, or signed by another key"
MAX_KEYS = 4_096  # kept as objects: more cameras than a receiver meets in an hour


@dataclass(frozen=True, slots=True)
class Signature:
    """One of a JWS: its header as base64url, the signing input (RFC 7515 5.1), and its bytes."""

    header: str
    over: bytes
    signature: bytes

    def is_by(self, raw_key: bytes) -> bool:
        """Did that key sign?"""
        return _is_by(raw_key, self.signature, self.over)


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
    _require_header(header, typ, where)
    signed = f"{header}.{payload}".encode("ascii")
    _verify(signed, decode_base64url(signature, where), raw_key, where)
    return decode_base64url(payload, where)


def verify_general(
    untrusted_text: bytes,
    typ: str,
    raw_keys: Sequence[bytes],
    threshold: int,
    *,
    where: str,
    max_bytes: int = MAX_DOCUMENT_BYTES,
) -> bytes:
    """The payload that the holders of `threshold` different keys have signed: a JWS in the general
    JSON form (RFC 7515 7.2.1), each signature with a header as in `verify_compact`; or the compact
    form, which holds one.

    Raises EnvelopeRefusedError(malformed or signature-invalid). Keys count, not signatures: the
    same one given often counts once, and one by a stranger, or by a former holder, not at all.
    """
    payload, signed = signatures_of(untrusted_text, typ, where=where, max_bytes=max_bytes)
    held = set(raw_keys)
    valid = by_key(signed, held)
    if len(valid) < threshold:
        raise EnvelopeRefusedError(
            Reason.SIGNATURE_INVALID,
            f"signed by {len(valid)} of the {threshold} that must sign (of {len(held)}): not yet "
            "complete, altered, or signed by other keys"
            if threshold > 1
            else _BY_NOBODY,
            where=where,
        )
    return payload


def signatures_of(
    untrusted_text: bytes, typ: str, *, where: str, max_bytes: int = MAX_DOCUMENT_BYTES
) -> tuple[bytes, tuple[Signature, ...]]:
    """The payload of a JWS of either form, and its signatures, none of them checked.

    Raises EnvelopeRefusedError(malformed).
    """
    if not untrusted_text.startswith(b"{"):
        header, payload, signature = _segments(untrusted_text, where, max_bytes)
        parts = [(header, signature)]
    else:
        if len(untrusted_text) > max_bytes:
            raise malformed(f"is longer than {max_bytes} bytes", where)
        whole = Fields(
            parse_object(untrusted_text, where), where, required=("payload", "signatures")
        )
        payload = whole.text("payload", most=max_bytes)
        entries = (
            Fields(entry, where, required=("protected", "signature"))
            for entry in whole.sequence("signatures", MAX_SIGNATURES)
        )
        parts = [(one.text("protected"), one.text("signature")) for one in entries]
    signed = list[Signature]()
    for header, signature in parts:
        _require_header(header, typ, where)
        over = f"{header}.{payload}".encode("ascii", "replace")  # no key signed a question mark
        signed.append(Signature(header, over, decode_base64url(signature, where)))
    return decode_base64url(payload, where), tuple(signed)


def by_key(signatures: Iterable[Signature], raw_keys: Collection[bytes]) -> dict[bytes, Signature]:
    """Those that count: of each of these keys one, by key. A stranger's is left out."""
    return {key: one for one in signatures for key in raw_keys if one.is_by(key)}


def untrusted_payload(untrusted_text: bytes, *, where: str, max_bytes: int) -> bytes:
    """The payload before any check of the signature: only for finding out whose key to check it
    with.
    """
    return decode_base64url(_segments(untrusted_text, where, max_bytes)[1], where)


def _require_header(untrusted_header: str, typ: str, where: str) -> None:
    fields = Fields(
        parse_object(decode_base64url(untrusted_header, where), where),
        where,
        required=("alg", "typ"),
    )
    fields.exactly("alg", SIGNATURE_ALGORITHM)
    fields.exactly("typ", typ)


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
    if not _is_by(raw_key, signature, signed):
        raise EnvelopeRefusedError(Reason.SIGNATURE_INVALID, _BY_NOBODY, where=where)


def _is_by(raw_key: bytes, signature: bytes, signed: bytes) -> bool:
    try:
        _public_key(raw_key).verify(signature, signed)
    except (InvalidSignature, ValueError):
        return False
    return True
