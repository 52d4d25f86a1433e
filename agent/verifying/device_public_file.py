"""Reads a camera's public.json: how `deliver`, which holds no private seal key, recognises its own
camera's reads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.wire.device_public import FILE_NAME, MAX_BYTES, DevicePublic, parse_device_public
from agent.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from agent.settings import Settings


def load_device_public(folder: Path) -> DevicePublic:
    """The public keys in `folder`. Raises StorageError or EnvelopeRefusedError(malformed)."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            untrusted = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise StorageError(
            f"cannot read the camera's public keys: {error.strerror}",
            where=path,
            fix="make the device keys first",
        ) from None
    if len(untrusted) > MAX_BYTES:
        raise StorageError(
            f"holds more than {MAX_BYTES} bytes", where=path, fix="make the device keys first"
        )
    return parse_device_public(untrusted, str(path))


def load_own_public(settings: Settings) -> DevicePublic:
    """The public keys beside these settings, which must be this camera's.

    A process asks before it opens its log, which a wrong `camera_id` would make look forged. Raises
    ConfigError, StorageError, EnvelopeRefusedError(malformed).
    """
    public = load_device_public(settings.device)
    if public.device != settings.camera_id:
        raise ConfigError(
            f"camera_id is {settings.camera_id!r}, and {settings.device / FILE_NAME} holds the "
            f"keys of {public.device!r}",
            where=settings.file,
            fix=f'write camera_id = "{public.device}", or put this camera\'s own keys there',
        )
    return public
