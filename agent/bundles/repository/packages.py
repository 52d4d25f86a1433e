"""The packages of the cameras' software beside a repository: named by their SHA-256, copied piece
by piece, and gone when no release names them any more.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from agent.bundles.layout import PACKAGES_FOLDER, package_path
from agent.disk.atomic_file import private_folder, publish, remove, storage_error
from agent.disk.input_file import digest_of_file, input_chunks

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_PUBLIC, _PUBLIC_FOLDER = 0o644, 0o755
_MISSING = "name the package that came with the statement"


def digest_of(file: Path, most_bytes: int) -> tuple[str, int]:
    """Hex SHA-256 and length. Raises ConfigError."""
    return digest_of_file(file, most_bytes, missing=_MISSING)


def put_package(repository: Path, file: Path, sha256: str, most_bytes: int) -> None:
    """Copy a package to where cameras look for it. Raises ConfigError, StorageError."""
    path = repository / package_path(sha256)
    if path.is_file():
        return
    private_folder(path.parent, _PUBLIC_FOLDER)
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as to:
            for chunk in input_chunks(file, most_bytes, missing=_MISSING):
                to.write(chunk)
            to.flush()
            os.fsync(to.fileno())
        part.chmod(_PUBLIC)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, path, "cannot write") from None
        raise
    publish(part, path)


def mirror_packages(source: Path, to: Path, most_bytes: int) -> None:
    """Bring a copy's packages to the state of `source`: new ones first, then old ones go.

    Raises ConfigError, StorageError.
    """
    names = {file.stem: file for file in packages_in(source)}
    for sha256, file in names.items():
        put_package(to, file, sha256, most_bytes)
    keep_packages(to, names)


def keep_packages(repository: Path, sha256: Collection[str]) -> None:
    """Remove all others. Raises StorageError."""
    for file in packages_in(repository):
        if file.stem not in sha256:
            remove(file)


def packages_in(repository: Path) -> list[Path]:
    """The packages that lie there."""
    return sorted((repository / PACKAGES_FOLDER).glob("*.deb"))
