"""Installs the TLS certificate that a CA made of the camera's request, beside its key."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from agent.core.text.pem import certificates, plain
from agent.disk.atomic_file import publish, write_atomic
from agent.disk.input_file import read_input
from agent.disk.private_file import read_private
from agent.errors import ConfigError, StorageError
from agent.sealing.camera_keys import TLS_CERTIFICATE, TLS_KEY, TLS_KEY_WAITING

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES = 65_536


def install_certificate(device: Path, path: Path) -> dict[str, object]:
    """The first installation gives the waiting key its name; a renewal replaces the certificate.

    Raises ConfigError where the two do not belong together.
    """
    data = read_input(path, MAX_BYTES, missing="the broker's CA makes it of tls.csr")
    waiting, key_path = device / TLS_KEY_WAITING, device / TLS_KEY
    present = waiting if waiting.exists() else key_path
    certified, ends = _read_certificate(data, path)
    if _public_half(present) != certified:
        raise ConfigError(
            "is for another key than this camera's",
            where=path,
            fix=f"have it made of {device / 'tls.csr'}",
        )
    if ends <= datetime.now(UTC):
        raise ConfigError("has expired", where=path, fix="ask the CA for a new one")
    # In its plainest form: whoever reads it later may be stricter.
    write_atomic(device / TLS_CERTIFICATE, plain(certificates(data)), 0o644)
    if present == waiting:
        publish(waiting, key_path)
    return {"certificate": str(device / TLS_CERTIFICATE), "until": ends.date().isoformat()}


def _read_certificate(data: bytes, path: Path) -> tuple[bytes, datetime]:
    """The key that a certificate is for (SubjectPublicKeyInfo), and when it ends.

    Raises ConfigError.
    """
    try:
        certificate = x509.load_der_x509_certificate(certificates(data)[0])
        key = certificate.public_key()
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), (
            certificate.not_valid_after_utc
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigError(
            "is not a certificate in PEM", where=path, fix="ask the CA for PEM"
        ) from None


def _public_half(path: Path) -> bytes:
    """The public key (SubjectPublicKeyInfo) of a private one. Raises StorageError."""
    try:
        key = load_pem_private_key(read_private(path), password=None)
        return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, TypeError):
        raise StorageError(
            "is not an unencrypted PEM private key", where=path, fix="enrol the camera anew"
        ) from None
