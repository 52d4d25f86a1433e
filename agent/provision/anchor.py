"""The city's root as enrolment puts it on a camera: what every signature leads back to."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.bundles.layout import MAX_METADATA_BYTES
from agent.disk.atomic_file import private_folder, write_new
from agent.disk.input_file import read_input
from agent.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_anchor(path: Path) -> bytes:
    """The bytes of a TUF root of version 1 that its own keys signed.

    Raises ConfigError: a camera with a wrong one would have to be visited again.
    """
    from tuf.api.exceptions import RepositoryError
    from tuf.api.metadata import Metadata, Root
    from tuf.api.serialization import DeserializationError

    data = read_input(
        path,
        MAX_METADATA_BYTES,
        missing="the city gives it: metadata/1.root.json of its repository",
    )
    fix = "take metadata/1.root.json of the city's repository"
    try:
        root: Metadata[Root] = Metadata[Root].from_bytes(data)
        if root.signed.type != "root" or root.signed.version != 1:
            raise ConfigError("is not version 1 of a city's root", where=path, fix=fix)
        root.verify_delegate("root", root)
    except (DeserializationError, RepositoryError, ValueError, KeyError, TypeError, AttributeError):
        raise ConfigError(
            "is not a root that its own key holders signed", where=path, fix=fix
        ) from None
    return data


@contextmanager
def with_anchor(path: Path, data: bytes | None) -> Iterator[None]:
    """Put the anchor there for the block; taken back when the block fails.

    One that is there already must be the same. Raises StorageError.
    """
    if data is None:
        yield
        return
    if os.path.lexists(path):
        if path.read_bytes() != data:
            raise StorageError(
                "another city's root is there; nothing is ever overwritten",
                where=path,
                fix="is it the right file, the right camera?",
            )
        yield
        return
    private_folder(path.parent, 0o755)
    write_new(path, data, 0o644)
    try:
        yield
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise
