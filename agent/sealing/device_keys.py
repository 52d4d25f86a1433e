"""The camera's private keys: made once on the device, never overwritten, never leaving it; the seal
key is `watch`'s alone.
"""

import os
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.strict_json import IDENTIFIER
from agent.core.wire.device_public import FILE_NAME, DevicePublic, format_device_public
from agent.disk.atomic_file import private_folder, sync_folder, write_new
from agent.disk.private_file import credential_or, read_owned
from agent.errors import ConfigError, StorageError

SEAL_KEY, WATCH_LOG_KEY, DELIVER_LOG_KEY = "seal.key", "watch-log.key", "deliver-log.key"
HOTLIST_KEY = "hotlist.key"  # an age identity: opens the city's hot list, for `watch` alone


def create(folder: Path, device_id: str) -> DevicePublic:
    """Make the three Ed25519 keys and public.json in `folder`.

    Refuses when any of them is there. Raises StorageError or ConfigError.
    """
    if IDENTIFIER.fullmatch(device_id) is None:
        raise ConfigError("a device id is 1 to 64 letters, digits or hyphens", where="device id")
    private_folder(folder)
    for name in (SEAL_KEY, WATCH_LOG_KEY, DELIVER_LOG_KEY, FILE_NAME):
        # All are looked at first, so that a half of a new set is never laid beside an old one.
        if os.path.lexists(folder / name):
            raise StorageError(
                "exists already; device keys are never overwritten",
                where=folder / name,
                fix="choose another folder, or retire this device first",
            )
    keys = [Ed25519PrivateKey.generate() for _ in range(3)]
    for name, key in zip((SEAL_KEY, WATCH_LOG_KEY, DELIVER_LOG_KEY), keys, strict=True):
        pem = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_new(folder / name, pem, 0o600)
    seal, watch, deliver = (key.public_key().public_bytes_raw() for key in keys)
    public = DevicePublic(device_id, seal, watch, deliver)
    write_new(folder / FILE_NAME, format_device_public(public), 0o644)
    sync_folder(folder)
    return public


def load_sealing_key(folder: Path) -> Ed25519PrivateKey:
    """The key that signs sealed reads.

    Raises StorageError when it is missing, damaged, or readable by others.
    """
    path = credential_or(folder / SEAL_KEY)
    try:
        pem = read_owned(path)
    except FileNotFoundError:
        raise StorageError(
            "no device key", where=path, fix="make the device's keys first, or correct paths.device"
        ) from None
    except OSError as error:
        raise StorageError(f"cannot open the device key: {error.strerror}", where=path) from None
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise StorageError(
            "is not an unencrypted PEM private key",
            where=path,
            fix="restore it from the device's provisioning, or enrol the camera anew",
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise StorageError("is not an Ed25519 key", where=path, fix="enrol the camera anew")
    return key
