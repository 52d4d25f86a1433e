"""Keeps what is pending beside a city's repository, so that at any instant a role's next version is
the old one or the new one, whole.

As in the repository, a file carries its hash in its name and is never changed; `metadata.json`
comes last, by one rename. What has no metadata is not pending.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import TargetFile

from agent.bundles.layout import TARGETS_FOLDER
from agent.bundles.repository.published import PENDING_FILE, PENDING_FOLDER
from agent.disk.atomic_file import remove, storage_error, sync_folder, write_atomic

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tuf.api.metadata import Metadata

    from agent.bundles.repository.published import Pending

_PUBLIC = 0o644
_WITHDRAWN = ".withdrawn"  # in the folder of what is pending: one file for each version given up


def keep_pending(city: Path, pending: Pending) -> None:
    """Put a role's next version with its files beside the repository, in place of another one.

    Raises StorageError; then the version before is there as it was.
    """
    folder = city / PENDING_FOLDER / pending.role
    files = {_name(path, data): data for path, data in pending.files.items()}
    new: list[Path] = []
    try:
        for name, data in files.items():
            path = folder / TARGETS_FOLDER / name
            if not path.is_file() or path.read_bytes() != data:
                new.append(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomic(path, data, _PUBLIC)
        folder.mkdir(parents=True, exist_ok=True)
        write_atomic(folder / PENDING_FILE, pending.metadata.to_bytes(), _PUBLIC)
        sync_folder(folder.parent)
    except BaseException as error:
        _forget(folder, new)
        if isinstance(error, OSError):
            raise storage_error(error, folder, "cannot keep what was signed") from None
        raise
    _prune(folder, files)
    with suppress(OSError):
        _mark(city, pending.metadata).unlink(missing_ok=True)


def add_signature(city: Path, role: str, metadata: Metadata[Any]) -> None:
    """The same pending version with one signature more. Raises StorageError."""
    write_atomic(city / PENDING_FOLDER / role / PENDING_FILE, metadata.to_bytes(), _PUBLIC)


def drop_pending(city: Path, role: str) -> None:
    """It is published, or given up. Raises StorageError."""
    folder = city / PENDING_FOLDER / role
    try:
        if folder.exists():
            # First what makes it pending: half of it would be neither pending nor published.
            (folder / PENDING_FILE).unlink(missing_ok=True)
            shutil.rmtree(folder)
            sync_folder(folder.parent)
    except OSError as error:
        raise storage_error(error, folder, "cannot remove") from None


def withdraw(city: Path, pending: Pending) -> None:
    """Give a version up, and remember it: signatures that were given to it are still on sticks.

    Raises StorageError.
    """
    mark = _mark(city, pending.metadata)
    try:
        mark.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, mark.parent, "cannot make the folder") from None
    told = f"{pending.role} {pending.metadata.signed.version}\n"
    write_atomic(mark, told.encode(), _PUBLIC)
    drop_pending(city, pending.role)


def was_withdrawn(city: Path, metadata: Metadata[Any]) -> bool:
    """Whether this very version was given up here."""
    return _mark(city, metadata).exists()


def _mark(city: Path, metadata: Metadata[Any]) -> Path:
    digest = hashlib.sha256(metadata.signed_bytes).hexdigest()
    return city / PENDING_FOLDER / _WITHDRAWN / digest


def _name(path: str, data: bytes) -> str:
    """Where a file lies: its hash stands before the last part of its path."""
    return TargetFile.from_data(path, data, ["sha256"]).get_prefixed_paths()[0]


def _prune(folder: Path, kept: Mapping[str, bytes]) -> None:
    """Files of an earlier version do no harm; the next one tries again."""
    targets = folder / TARGETS_FOLDER
    with suppress(OSError):
        for path in targets.rglob("*"):
            if path.is_file() and path.relative_to(targets).as_posix() not in kept:
                remove(path)


def _forget(folder: Path, new: list[Path]) -> None:
    """After a failure: nothing half-written stays, and no empty folder."""
    with suppress(OSError):
        for path in new:
            path.unlink(missing_ok=True)
        if not (folder / PENDING_FILE).exists():
            shutil.rmtree(folder)
