"""The sealed read's wire form (docs/ref/sealed-read.md): taking apart, putting together, padding;
no cryptography.

Wire form: `<compact JWE>`, a line feed, `<protected>..<signature>` (RFC 7516 and detached RFC 7797
JWS).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from agent.core.text.strict_json import (
    Fields,
    decode_base64url,
    malformed,
    parse_object,
    parse_public_jwk,
)
from agent.core.wire.tags import Tags, format_tags, parse_tags

ALGORITHM, ENCRYPTION, TAGS_HEADER = "ECDH-ES+A256KW", "A256GCM", "alpr"
SIGNATURE_ALGORITHM = "Ed25519"
CONTENT_TYPE = "application/platewarden-sealed-read"
PADDING_BUCKETS_BYTES = (2_048, 8_192, 16_384, 32_768)
MAX_WIRE_BYTES = 65_536
MAX_HEADER_CHARACTERS = 4_096
_ENCRYPTED_KEY_BYTES, _IV_BYTES, _AUTH_TAG_BYTES, _SIGNATURE_BYTES = 40, 12, 16, 64


@dataclass(frozen=True, slots=True)
class SealedRead:
    """Ciphertext and its readable tags; `wire` is what is stored, published and signed over."""

    tags: Tags
    wire: bytes


@dataclass(frozen=True, slots=True)
class Envelope:
    """A wire form taken apart and checked for form only: nothing in it is believed until its
    signature is verified.

    `jwe`: the exact bytes that are signed. `signer`: the device that claims to have signed.
    """

    tags: Tags
    jwe: bytes
    jws_protected: str
    signature: str
    signer: str


def jwe_header(tags: Tags) -> dict[str, object]:
    """The JWE protected header without `epk`, which the encryption adds."""
    return {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "kid": key_id(tags.recipient, tags.epoch),
        "crit": [TAGS_HEADER],
        TAGS_HEADER: format_tags(tags),
    }


def jws_header(device: str) -> dict[str, object]:
    """The outer signature's protected header."""
    return {"alg": SIGNATURE_ALGORITHM, "b64": False, "crit": ["b64"], "kid": device}


def key_id(recipient: str, epoch: date) -> str:
    """`<recipient>/<YYYY-MM-DD>`."""
    return f"{recipient}/{epoch.isoformat()}"


def pad(plaintext: bytes) -> bytes | None:
    """Spaces up to the next bucket, so that a length tells little; None when it fits none."""
    size = next((bucket for bucket in PADDING_BUCKETS_BYTES if len(plaintext) <= bucket), None)
    return None if size is None else plaintext.ljust(size, b" ")


def join(jwe: bytes, jws_protected: str, signature: str) -> bytes:
    """The wire form."""
    return jwe + b"\n" + f"{jws_protected}..{signature}".encode("ascii")


def split(untrusted_wire: bytes, max_bytes: int = MAX_WIRE_BYTES) -> Envelope:
    """Take a wire form apart; every byte must be as docs/ref/sealed-read.md says. Raises
    EnvelopeRefusedError(malformed or unsupported-version).
    """
    if len(untrusted_wire) > max_bytes:
        raise malformed(f"is longer than {max_bytes} bytes", "sealed read")
    try:
        lines = untrusted_wire.decode("ascii").split("\n")
    except UnicodeDecodeError:
        raise malformed("is not ASCII text", "sealed read") from None
    if len(lines) != 2:
        raise malformed("is not two lines", "sealed read")
    tags = _parse_jwe(lines[0])
    jws_protected, gap, signature = lines[1].partition("..")
    if not gap or len(decode_base64url(signature, "signature")) != _SIGNATURE_BYTES:
        raise malformed(f"is not a detached signature of {_SIGNATURE_BYTES} bytes", "signature")
    header = parse_object(_decode_header(jws_protected, "signature header"), "signature header")
    fields = Fields(header, "signature header", required=("alg", "b64", "crit", "kid"))
    signer = fields.identifier("kid")
    for name, expected in jws_header(signer).items():
        fields.exactly(name, expected)
    if signer != tags.device:
        # else one enrolled camera could speak in another's name
        raise fields.bad("kid", "the device of the tags")
    return Envelope(tags, lines[0].encode("ascii"), jws_protected, signature, signer)


def _parse_jwe(untrusted_jwe: str) -> Tags:
    segments = untrusted_jwe.split(".")
    if len(segments) != 5:
        raise malformed("is not a compact JWE of five segments", "sealed read")
    header = parse_object(_decode_header(segments[0], "encryption header"), "encryption header")
    tags = _parse_jwe_header(header)
    sizes = {
        "encrypted key": (_ENCRYPTED_KEY_BYTES,),
        "initialisation vector": (_IV_BYTES,),
        "ciphertext": PADDING_BUCKETS_BYTES,
        "tag": (_AUTH_TAG_BYTES,),
    }
    for segment, (name, allowed) in zip(segments[1:], sizes.items(), strict=True):
        if len(decode_base64url(segment, name)) not in allowed:
            raise malformed(f"must be {' or '.join(map(str, allowed))} bytes", name)
    return tags


def _parse_jwe_header(header: Mapping[str, object]) -> Tags:
    fields = Fields(
        header, "encryption header", required=("alg", "enc", "kid", "epk", "crit", TAGS_HEADER)
    )
    parse_public_jwk(fields.value("epk"), "X25519", "encryption header: `epk`")
    tags = parse_tags(fields.value(TAGS_HEADER))
    for name, expected in jwe_header(tags).items():
        if name != TAGS_HEADER:
            fields.exactly(name, expected)
    return tags


def _decode_header(untrusted_segment: str, where: str) -> bytes:
    if len(untrusted_segment) > MAX_HEADER_CHARACTERS:
        raise malformed(f"is longer than {MAX_HEADER_CHARACTERS} characters", where)
    return decode_base64url(untrusted_segment, where)
