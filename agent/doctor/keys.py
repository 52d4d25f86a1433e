"""Looks at a camera's keys: there, private, belonging together, and a certificate that fits and
lasts.

No key's bytes leave this module.
"""

from __future__ import annotations

import os
import stat
from datetime import timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from agent.core.camera.diagnosis_findings import (
    Finding,
    Health,
    fail,
    failed,
    ok,
    skip,
    until,
    warn,
)
from agent.disk.private_file import credential_or, read_private
from agent.errors import PlatewardenError, StorageError
from agent.sealing.camera_keys import TLS_CERTIFICATE, TLS_KEY, TLS_KEY_WAITING
from agent.sealing.device_keys import DELIVER_LOG_KEY, HOTLIST_KEY, SEAL_KEY, WATCH_LOG_KEY
from agent.verifying.device_public_file import load_device_public

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from agent.core.wire.device_public import DevicePublic

RENEW = timedelta(days=30)
ENROL = "sudo platewarden provision (docs/guide/installer.md)"
ROOT = "sudo platewarden doctor"
MAX_CERTIFICATE_BYTES = 65_536
CERTIFICATE = "certificate"
INSTALL = (
    "have the broker's CA sign device/tls.csr, then: sudo platewarden provision --certificate FILE"
)


def look(
    device: Path, camera_id: str, now: datetime, *, enrolled: bool = True
) -> tuple[list[Finding], DevicePublic | None]:
    """Keys, then the broker's certificate.

    The public half, for whoever looks into the roster. `enrolled`: else the hot list is no sealed
    one, and needs no key.
    """
    try:
        public = load_device_public(device)
    except PlatewardenError as error:
        return [
            failed("keys", error, ENROL)
            if (device / "public.json").exists()
            else fail("keys", f"{device} holds no keys", ENROL)
        ], None
    if public.device != camera_id:
        return [
            fail(
                "keys",
                f"these are the keys of {public.device!r}, and the settings say {camera_id!r}",
                "correct camera_id, or this is another camera's card",
            )
        ], None
    return [*_private(device, public, enrolled=enrolled), certificate(device, now)], public


def _private(device: Path, public: DevicePublic, *, enrolled: bool) -> list[Finding]:
    """What is wrong with the private keys; else one finding about all."""
    wanted: dict[str, bytes | None] = {
        SEAL_KEY: public.seal,
        WATCH_LOG_KEY: public.watch_log,
        DELIVER_LOG_KEY: public.deliver_log,
    }
    wanted |= {HOTLIST_KEY: None} if enrolled else {}
    odd = [found for name, raw in wanted.items() if (found := one(device / name, raw)) is not None]
    if bad := [finding for finding in odd if finding.health is not Health.SKIP]:
        return bad
    if odd:
        told = f"{len(odd)} of {len(wanted)} could not be opened by this user; modes are right"
        return [skip("keys", told, ROOT)]
    return [ok("keys", f"{len(wanted)} private keys, each for its owner alone, as in public.json")]


def one(path: Path, raw: bytes | None) -> Finding | None:
    """What is wrong with one private key; None when nothing is.

    `raw`: the public half that it must have.
    """
    name = f"key {path.name}"
    path = credential_or(path)
    problem = mode(path)
    if problem is not None or not path.exists():
        return problem
    try:
        if (
            raw is not None
            and _public_raw(load_pem_private_key(read_private(path), password=None)) != raw
        ):
            return fail(
                name,
                f"{path} is not the key whose public half stands in public.json",
                "restore this camera's own card, or enrol it anew",
            )
    except StorageError as error:
        return skip(name, error.what, ROOT) if not os.access(path, os.R_OK) else failed(name, error)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return fail(name, f"{path} is damaged", "enrol the camera anew: docs/ref/enrolment.md")
    return None


def mode(path: Path) -> Finding | None:
    """A regular file with no right for group or others; or an encrypted systemd credential in its
    place.
    """
    name = f"key {path.name}"
    try:
        status = path.lstat()
    except FileNotFoundError:
        return (
            None
            if path.with_name(f"{path.name}.cred").exists()
            else fail(name, f"{path} is missing", ENROL)
        )
    except OSError:
        return skip(name, f"{path} cannot be looked at by this user", ROOT)
    if not stat.S_ISREG(status.st_mode):
        return fail(name, f"{path} is no regular file", "put the key itself there")
    if status.st_mode & 0o077:
        return fail(
            name,
            f"{path} has mode {stat.S_IMODE(status.st_mode):04o}: "
            "others on this machine can read it",
            f"sudo chmod 600 {path}; if others were here, enrol anew",
        )
    return None


def certificate(device: Path, now: datetime) -> Finding:
    """The broker's certificate: there, for our key, and for how long."""
    path = device / TLS_CERTIFICATE
    if not path.exists():
        waiting = (device / TLS_KEY_WAITING).exists()
        return warn(
            CERTIFICATE,
            "none yet: the key waits for it"
            if waiting
            else "none: only brokers that ask for none let this camera in",
            INSTALL,
        )
    try:
        with path.open("rb") as file:
            found = x509.load_pem_x509_certificates(file.read(MAX_CERTIFICATE_BYTES))[0]
        return fitting(device / TLS_KEY, found, _spki(found.public_key()), now)
    except (OSError, ValueError, IndexError, TypeError, UnsupportedAlgorithm):
        return fail(CERTIFICATE, f"{path} is no certificate in PEM", INSTALL)


def fitting(key: Path, found: x509.Certificate, spki: bytes, now: datetime) -> Finding:
    """Does the certificate belong to the key, and is it its time?"""
    problem, told = mode(key), "for this camera's key, valid"
    if problem is not None:
        return problem
    try:
        if (
            key.exists()
            and _spki(load_pem_private_key(read_private(key), password=None).public_key()) != spki
        ):
            return fail(CERTIFICATE, "it is for another key than this camera's", INSTALL)
    except StorageError:
        told = "valid (whether it fits its key only root can see)"
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return fail(
            CERTIFICATE, f"{key} is damaged", "enrol the camera anew: docs/ref/enrolment.md"
        )
    if now < found.not_valid_before_utc:
        return fail(
            CERTIFICATE,
            f"it is valid only from {found.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "check this machine's clock, else the CA's",
        )
    return until(CERTIFICATE, told, found.not_valid_after_utc, now, RENEW, INSTALL)


def _public_raw(key: PrivateKeyTypes) -> bytes:
    # Raises ValueError for kinds of key without a raw form.
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def _spki(key: object) -> bytes:
    # Every public key has it.
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))  # type: ignore[attr-defined]
