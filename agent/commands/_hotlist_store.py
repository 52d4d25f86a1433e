"""Writes a city's hot-list files: whole or not at all, private, one writer at a time."""

from __future__ import annotations

import fcntl
import os
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from agent.disk.atomic_file import PART_SUFFIX, publish, storage_error, write_new
from agent.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PRIVATE = 0o600
WIDEST = 0o640  # an installed camera's list belongs to root and is read by the group of watch


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Two people who add at the same time would lose one addition, or pass the cap. Raises StorageError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, folder, "cannot open the city's folder") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError("another `platewarden hotlist` is at work here", where=folder, fix="wait until it is done") from None
        yield
    finally:
        os.close(descriptor)


def replace_private(path: Path, data: bytes) -> None:
    """Write a file that holds plates, mode 0600; where it replaces one, that one's owner, group and mode stay, but nobody else may read. Raises StorageError."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        write_new(part, data, PRIVATE, final=path)
        _keep_owner(path, part)
        publish(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _keep_owner(path: Path, part: Path) -> None:
    try:
        old = path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, path, "cannot look at the file to be replaced") from None
    try:
        if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
            os.chown(part, old.st_uid, old.st_gid)
        part.chmod(old.st_mode & WIDEST)
    except OSError as error:
        raise storage_error(error, path, "cannot give the new file its owner") from None
