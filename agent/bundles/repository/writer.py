"""Writes a city's repository so that at any instant a camera finds the old one or the new one,
whole.

Every name but `timestamp.json` carries a version or a hash, so it is written once and never
changed; `timestamp.json` comes last, by one rename. A new root whose keys for timestamp differ is
the one exception: between the two renames cameras refuse, keep what they have, and find the whole
at the next try.

What was published once stays, as the archive (docs/ref/bundles.md). Only hot lists go: a list that
nobody needs any more must not lie about.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from tuf.api.metadata import Snapshot, Targets

from agent.bundles.layout import HOTLIST, METADATA_FOLDER, ROOT, SNAPSHOT, TARGETS_FOLDER
from agent.bundles.repository.copies import (
    TIMESTAMP_FILE,
    keep_timestamp,
    parsed,
    past_timestamps,
    require_same_city,
    timestamp_in,
)
from agent.bundles.repository.packages import mirror_packages
from agent.core.software.signed_release import MAX_PACKAGE_BYTES
from agent.disk.atomic_file import remove, storage_error, sync_folder, write_atomic
from agent.errors import StorageError, UsageError
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

KEPT_LISTS = 3  # a camera that began with the one before last can still finish
_PUBLIC, _PUBLIC_FOLDER = 0o644, 0o755


@dataclass(slots=True)
class Writing:
    """One publish into `folder` (a repository): forgets what it wrote unless `finish` was reached.

    `new`: what it wrote.
    """

    folder: Path
    new: list[Path] = field(default_factory=list)

    def put(self, name: str, data: bytes) -> None:
        """A file that never changes; one that is there already with these bytes stays.

        Raises StorageError.
        """
        path = self.folder / name
        try:
            if path.is_file():
                if path.read_bytes() == data:
                    return
                if name.endswith(f".{ROOT}.json"):
                    raise UsageError(
                        "is another root of this version: "
                        "another city's, or one that a camera may have taken",
                        where=path,
                        fix="use another folder",
                    )
        except OSError as error:
            raise storage_error(error, path, "cannot read") from None
        self._folder(path.parent)
        write_atomic(path, data, _PUBLIC)
        self.new.append(path)

    def finish(self, timestamp: bytes) -> None:
        """The one rename that makes it the current one. Raises StorageError."""
        write_atomic(self.folder / METADATA_FOLDER / TIMESTAMP_FILE, timestamp, _PUBLIC)
        self.new.clear()

    def forget(self) -> None:
        """After a failure: nothing half-written stays."""
        for path in reversed(self.new):
            with suppress(OSError):
                path.unlink()
        self.new.clear()

    def _folder(self, folder: Path) -> None:
        try:
            if not folder.is_dir():
                folder.mkdir(mode=_PUBLIC_FOLDER, parents=True)
                sync_folder(folder.parent)
        except OSError as error:
            raise storage_error(error, folder, "cannot make the folder") from None


def publish(
    folder: Path, metadata: Mapping[str, bytes], targets: Mapping[str, bytes], timestamp: bytes
) -> None:
    """Write a repository's new files: targets, then metadata (by file name, in the order given),
    then the timestamp. Raises StorageError; then nothing changed.
    """
    writing = Writing(folder)
    # An interrupted publish may have come to its one rename, and no further.
    _keep_timestamp(folder)
    try:
        for name, data in targets.items():
            writing.put(f"{TARGETS_FOLDER}/{name}", data)
        for name, data in metadata.items():
            writing.put(f"{METADATA_FOLDER}/{name}", data)
        writing.finish(timestamp)
    except BaseException:
        writing.forget()
        raise
    _keep_timestamp(folder)
    # What is superfluous does no harm; the next publish tries again.
    with suppress(StorageError, OSError):
        prune(folder)


def _keep_timestamp(folder: Path) -> None:
    """It is for telling copies apart: the publish itself does not fail by it."""
    with suppress(StorageError):
        keep_timestamp(folder)


def mirror(source: Path, to: Path) -> None:
    """Bring a copy (a stick, a web server's folder) to the state of `source`, whole at every
    instant.

    Raises StorageError.
    """
    names = sorted(_referenced(source))
    roots = sorted(
        (path.name for path in (source / METADATA_FOLDER).glob("*.root.json")),
        key=lambda name: int(name.split(".")[0]),
    )
    files = {name: _bytes(source / name) for name in names}
    require_same_city(source, to)
    mirror_packages(source, to, MAX_PACKAGE_BYTES)  # before what names them
    publish(
        to,
        {
            name.partition("/")[2]: data
            for name, data in files.items()
            if name.startswith(METADATA_FOLDER)
        }
        | {name: _bytes(source / METADATA_FOLDER / name) for name in roots},
        {
            name.partition("/")[2]: data
            for name, data in files.items()
            if name.startswith(TARGETS_FOLDER)
        },
        _bytes(source / METADATA_FOLDER / TIMESTAMP_FILE),
    )
    past = Writing(to)
    for path in past_timestamps(source).values():
        past.put(f"{METADATA_FOLDER}/{path.name}", _bytes(path))


def prune(folder: Path) -> None:
    """Remove old hot lists, and what no snapshot names. Raises StorageError."""
    kept = _referenced(folder)
    for part in (METADATA_FOLDER, TARGETS_FOLDER):
        for path in (folder / part).rglob("*"):
            name = path.relative_to(folder).as_posix()
            if (
                path.is_file()
                and name not in kept
                and not name.endswith((f"{ROOT}.json", TIMESTAMP_FILE))
            ):
                remove(path)


def _referenced(folder: Path) -> set[str]:
    """What the current snapshot and those before it name, themselves included: paths in the
    repository. Of hot lists those of the newest snapshots only.
    """
    current = timestamp_in(folder)
    last = current.snapshot_meta.version if current else 0
    found: set[str] = set()
    for number in range(last, 0, -1):
        path = folder / METADATA_FOLDER / f"{number}.{SNAPSHOT}.json"
        if number != last and not path.is_file():
            continue  # from before there was an archive
        found.add(path.relative_to(folder).as_posix())
        for name, meta in parsed(_bytes(path), Snapshot, path).meta.items():
            member = f"{METADATA_FOLDER}/{meta.version}.{name}"
            if member in found or (name == f"{HOTLIST}.json" and number <= last - KEPT_LISTS):
                continue
            if number == last or (folder / member).is_file():
                found.add(member)
                found |= {f"{TARGETS_FOLDER}/{target}" for target in _targets(folder / member)}
    return found


def _targets(path: Path) -> Iterator[str]:
    for described in parsed(_bytes(path), Targets, path).targets.values():
        yield described.get_prefixed_paths()[0]


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise storage_error(error, path, "cannot read") from None
