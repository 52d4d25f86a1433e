"""Makes all of a camera's keys in memory: private files, public.json and the enrolment.

Writing them down whole is the caller's affair.
"""

from collections.abc import Mapping
from datetime import datetime

import pyrage
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_p256
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from agent.core.wire.device_public import FILE_NAME as PUBLIC
from agent.core.wire.device_public import DevicePublic, format_device_public
from agent.core.wire.enrolment import FILE_NAME as ENROLMENT
from agent.core.wire.enrolment import Enrolment, format_enrolment
from agent.sealing.device_keys import DELIVER_LOG_KEY, HOTLIST_KEY, SEAL_KEY, WATCH_LOG_KEY
from agent.values import dataclass

TLS_KEY_WAITING = "tls-waiting.key"
TLS_KEY = "tls.key"
TLS_CERTIFICATE = "tls.crt"
TLS_REQUEST = "tls.csr"
"""The TLS key is called `waiting` until its certificate is there: `deliver` takes both or
neither.
"""


@dataclass(frozen=True, slots=True)
class Kit:
    """One camera's keys.

    `private`, `public`: file name → bytes; private ones are written with mode 0600.
    """

    enrolment: Enrolment
    private: Mapping[str, bytes]
    public: Mapping[str, bytes]

    def __repr__(self) -> str:
        return f"<keys of {self.enrolment.device}>"


def make_kit(device: str, made: datetime, *, replaces: bool = False, domain: str = "") -> Kit:
    """New keys for `device`, which has been checked to be a camera id.

    `made`: now, UTC, in whole milliseconds; `domain`: the city's, by which its logs are named.
    """
    seal, watch_log, deliver_log = (Ed25519PrivateKey.generate() for _ in range(3))
    tls, age = generate_p256(SECP256R1()), pyrage.x25519.Identity.generate()
    public = DevicePublic(
        device,
        seal.public_key().public_bytes_raw(),
        watch_log.public_key().public_bytes_raw(),
        deliver_log.public_key().public_bytes_raw(),
        domain,
    )
    csr = _request(device, tls)
    enrolment = Enrolment(public, str(age.to_public()), csr.decode("ascii"), made, replaces)
    private = {
        SEAL_KEY: _pem(seal),
        WATCH_LOG_KEY: _pem(watch_log),
        DELIVER_LOG_KEY: _pem(deliver_log),
        TLS_KEY_WAITING: _pem(tls),
        HOTLIST_KEY: f"{age}\n".encode("ascii"),
    }
    return Kit(
        enrolment,
        private,
        {
            PUBLIC: format_device_public(public),
            TLS_REQUEST: csr,
            ENROLMENT: format_enrolment(enrolment, seal.sign),
        },
    )


def _request(device: str, key: EllipticCurvePrivateKey) -> bytes:
    """P-256, because more brokers take it than Ed25519.

    Only a name: what the certificate allows is the CA's affair.
    """
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    return (
        x509.CertificateSigningRequestBuilder()
        .subject_name(subject)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )


def _pem(key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
