"""Writes a city's hot-list files: whole or not at all, private, one writer at a time."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.disk.atomic_file import PART_SUFFIX, publish, storage_error, write_new

if TYPE_CHECKING:
    from pathlib import Path

PRIVATE = 0o600
WIDEST = 0o640  # an installed camera's list belongs to root and is read by the group of watch


def replace_private(path: Path, data: bytes) -> None:
    """Write a file that holds plates, mode 0600; where it replaces one, that one's owner, group and
    mode stay, but nobody else may read.

    Raises StorageError.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        stage_private(part, path, data)
        publish(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def stage_private(part: Path, path: Path, data: bytes) -> None:
    """Write what will replace `path`, with its owner and mode, under the name `part`: durable, and
    not in force yet.

    Raises StorageError.
    """
    write_new(part, data, PRIVATE, final=path)
    _keep_owner(path, part)


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
