"""The camera's age identity: opens the city's hot list, in the memory of `watch` alone."""

from pathlib import Path

import pyrage

from agent.disk.private_file import credential_or, read_private
from agent.errors import StorageError
from agent.sealing.device_keys import HOTLIST_KEY


def load_hotlist_identity(folder: Path) -> pyrage.x25519.Identity:
    """From paths.device, or the unit's credentials.

    Raises StorageError when it is missing, damaged, or readable by others.
    """
    path = credential_or(folder / HOTLIST_KEY)
    try:
        return pyrage.x25519.Identity.from_str(read_private(path).decode("ascii").strip())
    except (ValueError, pyrage.IdentityError):
        raise StorageError(
            "is not an age identity", where=path, fix="enrol the camera anew"
        ) from None
