"""Reads a camera's public.json: how `deliver`, which holds no private seal key, recognises its own
camera's reads.
"""

from pathlib import Path

from agent.core.wire.device_public import FILE_NAME, MAX_BYTES, DevicePublic, parse_device_public
from agent.errors import StorageError


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
