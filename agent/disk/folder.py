"""Writes a whole folder of files, or nothing; empties one that only an earlier run filled."""

import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from agent.disk.atomic_file import PART_SUFFIX, storage_error, sync_folder, write_new
from agent.errors import StorageError, UsageError
from agent.values import dataclass


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes and mode of a file that is to be written."""

    data: bytes
    mode: int = 0o644

    def __repr__(self) -> str:
        return f"<file of {len(self.data)} bytes>"  # it may be a private key


def write_folder(folder: Path, files: Mapping[str, NewFile], mode: int = 0o755) -> None:
    """After return `folder` holds exactly `files` (by relative path) and survives a power cut;
    after an error there is nothing of it.

    Raises StorageError.

    A folder that is there must be empty: nothing is ever overwritten or mixed. Folders that hold a
    private file are 0700.
    """
    require_free(folder)
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        part.mkdir(mode=mode)
        part.chmod(mode)
        for name, file in files.items():
            path = part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            write_new(path, file.data, file.mode, final=folder / name)
        for inner in sorted({path.parent for path in part.rglob("*")}, reverse=True):
            sync_folder(inner)
        # Onto an empty folder too: Path.rename says less of it.
        os.rename(part, folder)  # noqa: PTH104
        sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(error, folder, "cannot make the folder") from None
    finally:
        with suppress(OSError):
            shutil.rmtree(part)


def require_free(folder: Path) -> None:
    """Refuse a folder in which something lies. Raises StorageError."""
    try:
        present = sorted(path.name for path in folder.iterdir()) if os.path.lexists(folder) else []
    except OSError as error:
        raise storage_error(error, folder, "cannot look into the folder") from None
    if present:
        raise StorageError(
            f"is not empty: it holds {present[0]}; nothing is ever overwritten",
            where=folder,
            fix="choose another folder",
        )
    if not folder.absolute().parent.is_dir():
        raise StorageError(
            "no such folder",
            where=folder.absolute().parent,
            fix="make it first, or correct the path",
        )


def make_room(folder: Path, ours: frozenset[str], mark: str, earlier: str) -> None:
    """Empty a folder where an earlier run wrote; never touch one that holds anything else.

    Raises UsageError.

    `ours`: the names that a run leaves; `mark`: the one that every run leaves; `earlier`: what such
    a run is called.
    """
    there = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not folder.is_dir() and folder.exists():
        raise UsageError("not a folder", where=folder, fix="name a folder")
    if there - ours or (there and mark not in there):
        raise UsageError(
            f"the folder holds something that is no earlier {earlier}",
            where=folder,
            fix="name a new one, or empty it first",
        )
    for name in there:
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
