"""The certificate authority of one broker: P-256 throughout, X.509 as RFC 5280 has it.

It lets cameras and recipients talk to the broker, and is trusted for nothing else: what a read says
and who can open it hangs on other keys.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.core.text.encoding import spki_pin
from agent.errors import ConfigError
from agent.values import dataclass

CA_DAYS, SERVER_DAYS, CLIENT_DAYS = 3_650, 398, 730
_SKEW = timedelta(hours=1)  # a camera's clock may be a little behind


@dataclass(frozen=True, slots=True)
class Authority:
    """`certificate`: its own, for everybody; `key`: signs. Kept out of repr by its type."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def server(
        self,
        key: ec.EllipticCurvePublicKey,
        hosts: tuple[str, ...],
        now: datetime,
        days: int = SERVER_DAYS,
    ) -> x509.Certificate:
        """For the broker itself. `hosts`: names or IP addresses."""
        builder = self._builder(hosts[0], key, now, days, ExtendedKeyUsageOID.SERVER_AUTH)
        names = x509.SubjectAlternativeName([_alternative(host) for host in hosts])
        return builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())

    def client(
        self, name: str, key: ec.EllipticCurvePublicKey, now: datetime, days: int = CLIENT_DAYS
    ) -> x509.Certificate:
        """For a camera or a recipient: `name` is what the access list goes by.

        It stands there twice: RabbitMQ compares a client id with an alternative name only.
        """
        builder = self._builder(name, key, now, days, ExtendedKeyUsageOID.CLIENT_AUTH)
        names = x509.SubjectAlternativeName([x509.DNSName(name)])
        return builder.add_extension(names, critical=False).sign(self.key, hashes.SHA256())

    def crl_name(self) -> str:
        """The file name by which OpenSSL and Erlang find this authority's list in a folder.

        X509_NAME_hash(3): of the name's canonical form, here one common name, in small letters.
        """
        [name] = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        text = " ".join(str(name.value).lower().split()).encode()
        value = b"\x0c" + bytes((len(text),)) + text  # at most 64 bytes
        pair = b"\x06\x03\x55\x04\x03" + value
        pair = b"\x30" + bytes((len(pair),)) + pair
        digest = hashlib.sha1(b"\x31" + bytes((len(pair),)) + pair).digest()  # noqa: S324 - OpenSSL's
        return f"{int.from_bytes(digest[:4], 'little'):08x}.r0"

    def revocations(self, gone: Iterable[int], now: datetime) -> bytes:
        """The list of revoked serial numbers, PEM. It holds as long as the authority does: a broker
        whose list has lapsed lets nobody in.
        """
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.certificate.subject)
            .last_update(now - _SKEW)
            .next_update(self.certificate.not_valid_after_utc)
        )
        for serial in sorted(gone):
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(now - _SKEW)
                .build()
            )
        return builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _builder(
        self,
        name: str,
        key: ec.EllipticCurvePublicKey,
        now: datetime,
        days: int,
        usage: x509.ObjectIdentifier,
    ) -> x509.CertificateBuilder:
        until = min(now + timedelta(days=days), self.certificate.not_valid_after_utc)
        issuer = self.certificate.public_key()
        assert isinstance(issuer, ec.EllipticCurvePublicKey)  # noqa: S101 (for mypy: `made` and `loaded` see to it)
        return (
            _unsigned(_name(name), self.certificate.subject, key, now, until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer), critical=False
            )
        )


def made(name: str, now: datetime, days: int = CA_DAYS) -> Authority:
    """A new one of this name."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name[:64])
    until = now + timedelta(days=days)
    certificate = (
        _unsigned(subject, subject, key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate, key)


def loaded(certificate_pem: bytes, key_pem: bytes, where: str) -> Authority:
    """As `init` wrote them. Raises ConfigError."""
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = serialization.load_pem_private_key(key_pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or (
        key.public_key() != certificate.public_key()
    ):
        raise ConfigError(
            "CA certificate and key do not belong together",
            where=where,
            fix="restore the folder from your copy",
        )
    return Authority(certificate, key)


def requested(untrusted_pem: bytes, name: str, where: str) -> ec.EllipticCurvePublicKey:
    """The key of a certificate request for exactly this name and nothing else.

    Raises ConfigError.

    Mitigates against: a request that asks for another's name, or for more than one.
    """
    try:
        request = x509.load_pem_x509_csr(untrusted_pem)
        key = request.public_key()
        fits = (
            request.is_signature_valid
            and [(one.oid, one.value) for one in request.subject] == [(NameOID.COMMON_NAME, name)]
            and not list(request.attributes)
        )
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.InvalidVersion):
        fits, key = False, None
    if (
        not fits
        or not isinstance(key, ec.EllipticCurvePublicKey)
        or not isinstance(key.curve, ec.SECP256R1)
    ):
        raise ConfigError(
            f"is not a P-256 certificate request for CN={name} and nothing else",
            where=where,
            fix="have it made anew: `provision` makes a camera's, `receiver request` a recipient's",
        )
    return key


def pin(key: ec.EllipticCurvePublicKey) -> str:
    """`sha256/…`, as a policy's `spki_pins` has it (RFC 7469)."""
    return spki_pin(
        key.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """PKCS #8, not encrypted: the file's mode and the disk guard it."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def pem(certificate: x509.Certificate) -> bytes:
    """The certificate's PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _unsigned(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    now: datetime,
    until: datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(until)
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
