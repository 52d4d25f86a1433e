"""The sealed read's wire form (docs/ref/sealed-read.md): taking apart, putting together, padding;
no cryptography.

Wire form: `<compact JWE>`, a line feed, `<protected>..<signature>` (RFC 7516 and detached RFC 7797
JWS).
"""

from collections.abc import Mapping
from datetime import date

from agent.core.text.strict_json import (
    KEY_BYTES,
    Fields,
    base64url_bytes,
    decode_base64url,
    malformed,
    parse_object,
    parse_public_jwk,
)
from agent.core.wire.tags import Tags
from agent.core.wire.versions import VERSIONS, EnvelopeMinimum, Versions, parse_minimum, version_of
from agent.values import dataclass

ALGORITHM, ENCRYPTION, TAGS_HEADER = "ECDH-ES+A256KW", "A256GCM", "alpr"
SIGNATURE_ALGORITHM = "Ed25519"
CONTENT_TYPE = "application/platewarden-sealed-read"
PADDING_BUCKETS_BYTES = (2_048, 8_192, 16_384, 32_768)
MAX_WIRE_BYTES = 65_536
MAX_HEADER_CHARACTERS = 4_096
IV_BYTES, AUTH_TAG_BYTES = 12, 16
_ENCRYPTED_KEY_BYTES, _SIGNATURE_BYTES = 40, 64
KDF_OTHER_INFO = b"".join(
    (
        len(ALGORITHM).to_bytes(4, "big") + ALGORITHM.encode(),
        bytes(4) + bytes(4),
        (8 * KEY_BYTES).to_bytes(4, "big"),
    )
)
"""What the wrapping key is derived for (RFC 7518 4.6.2): its algorithm, no names of parties, 256
bits.
"""


@dataclass(frozen=True, slots=True)
class SealedRead:
    """Ciphertext and its readable tags; `wire` is what is stored, published and signed over."""

    tags: Tags
    wire: bytes


@dataclass(frozen=True, slots=True)
class ReleasedRead:
    """A read that was released and has not left the outbox: its tags, or the minimum of a version
    that this build does not know, and what its bytes hash to (lower-case hex).
    """

    tags: Tags | EnvelopeMinimum
    wire_sha256: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """What every version keeps of the wire form, taken apart and checked for form only: nothing in
    it is believed until its signature is verified.

    `version`: the one that it claims; `header`: the first line's, untrusted. `jwe`: the exact bytes
    that are signed. `signer`: the device that claims to have signed.
    """

    version: int
    header: Mapping[str, object]
    jwe: bytes
    jws_protected: str
    signature: str
    signer: str


def jwe_header(tags: Tags, versions: Versions = VERSIONS) -> dict[str, object]:
    """The JWE protected header without `epk`, which the encryption adds."""
    return {
        **_plain_header(tags),
        TAGS_HEADER: versions.format_tags(tags),
    }


def _plain_header(tags: Tags) -> dict[str, object]:
    return {
        "alg": ALGORITHM,
        "enc": ENCRYPTION,
        "kid": key_id(tags.recipient, tags.epoch),
        "crit": [TAGS_HEADER],
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
    """Take a wire form of any version apart: two lines, the tags' version, the outer signature's
    form. What else the first line holds is for `tags_of`. Raises EnvelopeRefusedError(malformed).
    """
    if len(untrusted_wire) > max_bytes:
        raise malformed(f"is longer than {max_bytes} bytes", "sealed read")
    if not untrusted_wire.isascii():
        raise malformed("is not ASCII text", "sealed read")
    # the first line is long: as few copies as can be
    jwe, line_feed, second = untrusted_wire.partition(b"\n")
    if not line_feed or b"\n" in second:
        raise malformed("is not two lines", "sealed read")
    first, dot, _ = jwe[: MAX_HEADER_CHARACTERS + 1].partition(b".")
    header = parse_object(_decode_header(first.decode(), "encryption header"), "encryption header")
    if not dot or TAGS_HEADER not in header:
        raise malformed(f"is not a compact JWE with `{TAGS_HEADER}`", "sealed read")
    version = version_of(header[TAGS_HEADER])
    jws_protected, gap, signature = second.decode().partition("..")
    if not gap or len(decode_base64url(signature, "signature")) != _SIGNATURE_BYTES:
        raise malformed(f"is not a detached signature of {_SIGNATURE_BYTES} bytes", "signature")
    signer = _parse_jws_header(_decode_header(jws_protected, "signature header"))
    return Envelope(version, header, jwe, jws_protected, signature, signer)


def tags_of(envelope: Envelope, versions: Versions = VERSIONS) -> Tags:
    """The tags; every byte of the first line must be as docs/ref/sealed-read.md says. Raises
    EnvelopeRefusedError(malformed or unsupported-version).
    """
    tags = versions.parse_tags(envelope.header[TAGS_HEADER])
    fields = Fields(
        envelope.header,
        "encryption header",
        required=("alg", "enc", "kid", "epk", "crit", TAGS_HEADER),
    )
    parse_public_jwk(fields.value("epk"), "X25519", "encryption header: `epk`")
    for name, expected in _plain_header(tags).items():
        fields.exactly(name, expected)
    _require_segments(envelope.jwe)
    _require_signer(envelope, tags.device)
    return tags


def minimum_of(envelope: Envelope) -> EnvelopeMinimum:
    """What the tags of every version say.

    Only of an envelope whose signature was verified, or whose bytes are those that this camera
    released. Raises EnvelopeRefusedError(malformed).
    """
    minimum = parse_minimum(envelope.header[TAGS_HEADER])
    _require_signer(envelope, minimum.device)
    return minimum


def _require_segments(untrusted_jwe: bytes) -> None:
    segments = untrusted_jwe.split(b".")
    if len(segments) != 5:
        raise malformed("is not a compact JWE of five segments", "sealed read")
    sizes = {
        "encrypted key": (_ENCRYPTED_KEY_BYTES,),
        "initialisation vector": (IV_BYTES,),
        "ciphertext": PADDING_BUCKETS_BYTES,
        "tag": (AUTH_TAG_BYTES,),
    }
    for segment, (name, allowed) in zip(segments[1:], sizes.items(), strict=True):
        if base64url_bytes(segment, name) not in allowed:
            raise malformed(f"must be {' or '.join(map(str, allowed))} bytes", name)


def _require_signer(envelope: Envelope, device: str) -> None:
    """Else one enrolled camera could speak in another's name."""
    if envelope.signer != device:
        raise malformed("`kid` must be the device of the tags", "signature header")


def _parse_jws_header(untrusted_json: bytes) -> str:
    """The signer."""
    where = "signature header"
    fields = Fields(
        parse_object(untrusted_json, where), where, required=("alg", "b64", "crit", "kid")
    )
    signer = fields.identifier("kid")
    for name, expected in jws_header(signer).items():
        fields.exactly(name, expected)
    return signer


def _decode_header(untrusted_segment: str, where: str) -> bytes:
    if len(untrusted_segment) > MAX_HEADER_CHARACTERS:
        raise malformed(f"is longer than {MAX_HEADER_CHARACTERS} characters", where)
    return decode_base64url(untrusted_segment, where)
