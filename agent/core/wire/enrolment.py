"""A camera's enrolment: the public halves of its keys, as an installer hands them to the city; its
file, its fingerprint (docs/ref/enrolment.md).
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from agent.core.text.encoding import b64url
from agent.core.text.identifier import IDENTIFIER
from agent.core.text.rfc3339 import rfc3339
from agent.core.text.strict_json import (
    Fields,
    canonical,
    decode_base64url,
    parse_object,
    public_jwk,
)
from agent.core.wire.device_public import DevicePublic
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

FILE_NAME = "enrolment.json"
MAX_BYTES = 16_384
MAX_CSR = 4_096
MAX_ID = 32
_VERSION, _SIGNATURE_BYTES = 1, 64
_AGE = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_CSR = re.compile(
    r"-----BEGIN CERTIFICATE REQUEST-----\n[A-Za-z0-9+/=\n]{1,4000}-----END CERTIFICATE "
    r"REQUEST-----\n"
)
_KEYS = ("seal", "watch_log", "deliver_log")


@dataclass(frozen=True, slots=True)
class Enrolment:
    """`public`: id and Ed25519 keys; `age`: the X25519 recipient to which hot lists are encrypted;
    `csr`: PEM, asks the broker's CA for a client certificate.

    `made`: by the clock of the machine that made it, which nobody vouches for. `replaces`: the city
    knows another camera under this id, and this one takes its place.
    """

    public: DevicePublic
    age: str
    csr: str
    made: datetime
    replaces: bool = False

    @property
    def device(self) -> str:
        """The camera's id."""
        return self.public.device


def require_camera_id(text: str, where: str) -> str:
    """An id that settings, rosters, tags and topics all accept. Raises UsageError."""
    if IDENTIFIER.fullmatch(text) is None or len(text) > MAX_ID:
        raise UsageError(
            f"{text[:40]!a} is no camera id",
            where=where,
            fix=f"use a-z, 0-9 and - only, at most {MAX_ID} characters",
        )
    return text


def format_enrolment(enrolment: Enrolment, sign: Callable[[bytes], bytes]) -> bytes:
    """The file's bytes. `sign`: the seal key's signature over what it is given; shows that whoever
    enrols holds that key.
    """
    body = _body(enrolment)
    text = json.dumps(
        {**body, "signature": b64url(sign(canonical(body)))},
        indent=2,
        sort_keys=True,
        ensure_ascii=False,
    )
    return text.encode() + b"\n"


def parse_enrolment(
    untrusted_json: bytes, where: str = FILE_NAME
) -> tuple[Enrolment, bytes, bytes]:
    """The enrolment, what was signed, and the signature: still to be checked
    (agent.verifying.enrolment_check). Raises EnvelopeRefusedError(malformed).
    """
    members = ("v", "device", *_KEYS, "age", "csr", "made", "replaces", "signature")
    fields = Fields(parse_object(untrusted_json, where), where, required=members)
    fields.exactly("v", _VERSION)
    replaces = fields.value("replaces")
    if not isinstance(replaces, bool):
        raise fields.bad("replaces", "true or false")
    device = fields.pattern("device", IDENTIFIER, f"a-z, 0-9 and -, at most {MAX_ID} characters")
    if len(device) > MAX_ID:
        raise fields.bad("device", f"at most {MAX_ID} characters")
    seal, watch_log, deliver_log = (fields.public_key(name, "Ed25519") for name in _KEYS)
    enrolment = Enrolment(
        public=DevicePublic(device, seal, watch_log, deliver_log),
        age=fields.pattern("age", _AGE, "an age recipient, age1…"),
        csr=_csr(fields),
        made=fields.moment("made"),
        replaces=replaces,
    )
    signature = decode_base64url(fields.text("signature", most=86), where)
    if len(signature) != _SIGNATURE_BYTES:
        raise fields.bad("signature", f"{_SIGNATURE_BYTES} bytes")
    return enrolment, canonical(_body(enrolment)), signature


def fingerprint(enrolment: Enrolment) -> str:
    """Hex SHA-256 over everything that was signed: what the installer reads out and the clerk
    compares.
    """
    return hashlib.sha256(canonical(_body(enrolment))).hexdigest()


def spoken(print_: str) -> str:
    """The first half of a fingerprint in groups of four, for reading out: 128 bits, which nobody
    can meet by trying.
    """
    return " ".join(print_[start : start + 4] for start in range(0, 32, 4))


def qr_text(enrolment: Enrolment) -> str:
    """What the QR code says."""
    return f"platewarden-enrolment:{_VERSION}:{enrolment.device}:{fingerprint(enrolment)}"


def _body(enrolment: Enrolment) -> Mapping[str, Any]:
    public = enrolment.public
    return {
        "v": _VERSION,
        "device": public.device,
        "seal": public_jwk("Ed25519", public.seal),
        "watch_log": public_jwk("Ed25519", public.watch_log),
        "deliver_log": public_jwk("Ed25519", public.deliver_log),
        "age": enrolment.age,
        "csr": enrolment.csr,
        "made": rfc3339(enrolment.made),
        "replaces": enrolment.replaces,
    }


def _csr(fields: Fields) -> str:
    value = fields.value("csr")  # not `text`: it has lines
    if not isinstance(value, str) or len(value) > MAX_CSR or _CSR.fullmatch(value) is None:
        raise fields.bad("csr", "a certificate request in PEM")
    return value
