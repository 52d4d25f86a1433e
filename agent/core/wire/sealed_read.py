"""The sealed read's tags and wire form (docs/ref/sealed-read.md): parsing and writing, no
cryptography.

Wire form: `<compact JWE>`, a line feed, `<protected>..<signature>` (RFC 7516 and detached RFC 7797
JWS).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import (
    Fields,
    base64url_bytes,
    canonical,
    decode_base64url,
    malformed,
    parse_object,
    parse_public_jwk,
)
from agent.core.time.instant import ClockTrust
from agent.core.wire import epochs
from agent.core.wire.match_level import MatchLevel
from agent.errors import EnvelopeRefusedError

VERSION = 1
ALGORITHM, ENCRYPTION, TAGS_HEADER = "ECDH-ES+A256KW", "A256GCM", "alpr"
SIGNATURE_ALGORITHM = "Ed25519"
CONTENT_TYPE = "application/platewarden-sealed-read"
PADDING_BUCKETS_BYTES = (2_048, 8_192, 16_384, 32_768)
MAX_WIRE_BYTES = 65_536
MAX_HEADER_CHARACTERS = 4_096
MAX_SEQUENCE = 2**53 - 1  # what every JSON reader holds exactly
READ_ID = re.compile(r"[0-9a-f]{32}")
SHA256_HEX = re.compile(r"[0-9a-f]{64}")
OUTCOME = re.compile(r"stored|rejected:[a-z][a-z0-9-]{0,39}")
TAG_NAMES = (
    *("v", "read", "device", "seq", "captured_at", "clock", "policy", "rule", "category", "match"),
    *("recipient", "purpose", "epoch", "deadline", "unverified"),
)
_ENCRYPTED_KEY_BYTES, _IV_BYTES, _AUTH_TAG_BYTES, _SIGNATURE_BYTES = 40, 12, 16, 64


@dataclass(frozen=True, slots=True)
class Tags:
    """What rides readable but authenticated in the JWE protected header, member `alpr`.

    `read_id`: 32 lower-case hex digits, random. `sequence`: 1, 2, 3 … per device and recipient.
    `epoch`: the UTC day at whose end the recipient destroys the key; `deadline`: that instant.
    """

    read_id: str
    device: str
    sequence: int
    captured_at: datetime
    clock: ClockTrust
    policy_name: str
    policy_version: int
    policy_digest: str
    rule: str
    category: str
    match: MatchLevel
    recipient: str
    purpose: str
    epoch: date
    deadline: datetime


@dataclass(frozen=True, slots=True)
class SealedRead:
    """Ciphertext and its readable tags; `wire` is what is stored, published and signed over."""

    tags: Tags
    wire: bytes


@dataclass(frozen=True, slots=True)
class ReleasedRead:
    """A read that was released and has not left the outbox: its tags, and what its bytes hash to
    (lower-case hex).
    """

    tags: Tags
    wire_sha256: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a recipient says of one sealed read: `outcome` is "stored" or "rejected:<reason>".
    `wire_sha256`: lower-case hex.
    """

    read_id: str
    wire_sha256: str
    device: str
    recipient: str
    outcome: str
    at: datetime

    @property
    def stored(self) -> bool:
        return self.outcome == "stored"


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


def format_tags(tags: Tags) -> dict[str, object]:
    """The value of the header member `alpr`."""
    return {
        "v": VERSION,
        "read": tags.read_id,
        "device": tags.device,
        "seq": tags.sequence,
        "captured_at": rfc3339(tags.captured_at),
        "clock": tags.clock.value,
        "policy": {
            "name": tags.policy_name,
            "version": tags.policy_version,
            "digest": tags.policy_digest,
        },
        "rule": tags.rule,
        "category": tags.category,
        "match": tags.match.value,
        "recipient": tags.recipient,
        "purpose": tags.purpose,
        "epoch": tags.epoch.isoformat(),
        "deadline": rfc3339(tags.deadline),
        "unverified": True,
    }


def parse_tags(untrusted_value: object) -> Tags:
    """The inverse, strict: exactly these members, in range, consistent. Raises
    EnvelopeRefusedError(malformed or unsupported-version).
    """
    if (
        isinstance(untrusted_value, dict)
        and untrusted_value.get("v") != VERSION
        and type(untrusted_value.get("v")) is int
    ):
        raise EnvelopeRefusedError(
            Reason.UNSUPPORTED_VERSION,
            f"`v` is not {VERSION}",
            where="tags",
            fix="update Platewarden on the side that refuses",
        )
    fields = Fields(untrusted_value, "tags", required=TAG_NAMES)
    fields.exactly("v", VERSION)
    fields.exactly("unverified", expected=True)  # P10: nobody may turn a lead into a fact
    policy = Fields(
        fields.value("policy"), "tags: `policy`", required=("name", "version", "digest")
    )
    tags = Tags(
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        device=fields.identifier("device"),
        sequence=fields.whole("seq", 1, MAX_SEQUENCE),
        captured_at=fields.moment("captured_at"),
        clock=ClockTrust(fields.pattern("clock", re.compile("trusted|os"), "trusted or os")),
        policy_name=policy.text("name"),
        policy_version=policy.whole("version", 0, MAX_SEQUENCE),
        policy_digest=policy.pattern("digest", SHA256_HEX, "64 lower-case hex digits"),
        rule=fields.identifier("rule"),
        category=fields.identifier("category"),
        match=MatchLevel(
            fields.pattern(
                "match", re.compile("exact|text|confusable"), "exact, text or confusable"
            )
        ),
        recipient=fields.identifier("recipient"),
        purpose=fields.identifier("purpose"),
        epoch=fields.day("epoch"),
        deadline=fields.moment("deadline"),
    )
    if tags.deadline != epochs.deadline_of(tags.epoch):
        raise fields.bad("deadline", "the end of the epoch's UTC day")
    if tags.captured_at >= tags.deadline:
        raise fields.bad("captured_at", "before the deadline")
    return tags


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
        if base64url_bytes(segment, name) not in allowed:
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


def format_receipt(receipt: Receipt) -> bytes:
    """The receipt's JSON, to be signed by the recipient."""
    return canonical(
        {
            "v": VERSION,
            "read": receipt.read_id,
            "sha256": receipt.wire_sha256,
            "device": receipt.device,
            "recipient": receipt.recipient,
            "outcome": receipt.outcome,
            "at": rfc3339(receipt.at),
        }
    )


def parse_receipt(untrusted_json: bytes) -> Receipt:
    """The inverse, strict. Raises EnvelopeRefusedError(malformed)."""
    names = ("v", "read", "sha256", "device", "recipient", "outcome", "at")
    fields = Fields(parse_object(untrusted_json, "receipt"), "receipt", required=names)
    fields.exactly("v", VERSION)
    return Receipt(
        read_id=fields.pattern("read", READ_ID, "32 lower-case hex digits"),
        wire_sha256=fields.pattern("sha256", SHA256_HEX, "64 lower-case hex digits"),
        device=fields.identifier("device"),
        recipient=fields.identifier("recipient"),
        outcome=fields.pattern("outcome", OUTCOME, "stored or rejected:<reason>"),
        at=fields.moment("at"),
    )
