"""Copies the package of a release from a source into an inbox, by its digest; the one before goes.

For `update`, which verifies nothing that counts: whoever installs it compares the digest again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.fetcher import keep_file, part_of
from agent.bundles.layout import package_path
from agent.core.reasons import Reason
from agent.disk.atomic_file import remove
from agent.errors import BundleRefusedError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.bundles.fetcher import Source
    from agent.core.software.signed_release import PackageFile


def fetch_package(source: Source, inbox: Path, package: PackageFile) -> bool:
    """Whether it came now.

    Raises BundleRefusedError, NetworkError, StorageError. Where it broke off, the next run goes on.
    """
    name = package_path(package.sha256)
    path = inbox / name
    for other in path.parent.glob("*"):
        if other.is_file() and other not in {path, part_of(path)}:
            remove(other)

    def chunks(begin: int) -> Iterator[bytes]:
        return _chunks(source, name, package.size, begin)

    return keep_file(chunks, inbox, name, package.sha256, package.size)


def _chunks(source: Source, name: str, size: int, begin: int) -> Iterator[bytes]:
    try:
        yield from source.chunks(name, size, begin)
    except (FileNotFoundError, ConfigError) as error:
        what = error.what if isinstance(error, ConfigError) else "is not there"
        raise BundleRefusedError(
            Reason.BUNDLE_INCOMPLETE,
            what,
            where=name,
            fix="copy the repository whole; its bundles have come",
        ) from None
