"""Which of two copies of a repository is the newer one: nothing is published from an older copy,
and nothing over a newer one.

Mitigates against: a backup that was restored, folders laid over one another, two machines that
publish for one city. A version that cameras have seen would be given to other contents, and every
camera would refuse all that follows.

The timestamps that were current are kept as `N.timestamp.json`, written after each publish. One
that was never current has none, so an interrupted publish is no newer copy.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from tuf.api.metadata import Metadata, Signed, Timestamp
from tuf.api.serialization import DeserializationError

from agent.bundles.layout import METADATA_FOLDER, ROOT, SNAPSHOT, TIMESTAMP
from agent.core.reasons import Reason
from agent.disk.atomic_file import storage_error, write_atomic
from agent.errors import BundleRefusedError, StorageError, UsageError

TIMESTAMP_FILE = f"{TIMESTAMP}.json"
_PUBLIC = 0o644
Kind = TypeVar("Kind", bound=Signed)


def timestamp_in(folder: Path) -> Timestamp | None:
    """What timestamp.json says, unverified; None where nothing is published.

    Raises StorageError.
    """
    path = folder / METADATA_FOLDER / TIMESTAMP_FILE
    data = _bytes(path)
    return None if data is None else parsed(data, Timestamp, path)


def past_timestamps(folder: Path) -> dict[int, Path]:
    """The kept timestamps of a repository, by version."""
    return _numbered(folder, TIMESTAMP)


def keep_timestamp(folder: Path) -> None:
    """Keep the current timestamp under its number. Raises StorageError."""
    current = folder / METADATA_FOLDER / TIMESTAMP_FILE
    data = _bytes(current)
    if data is not None:
        version = parsed(data, Timestamp, current).version
        path = current.with_name(f"{version}.{TIMESTAMP_FILE}")
        if not path.exists():
            write_atomic(path, data, _PUBLIC)


def require_newest(folder: Path) -> None:
    """Refuse to go on from an older copy that was laid over a newer one.

    Raises BundleRefusedError, StorageError.
    """
    current = timestamp_in(folder)
    version = current.version if current else 0
    begun = (current.snapshot_meta.version if current else 0) + 1  # by an interrupted publish
    newest = max(past_timestamps(folder), default=0)
    if newest > version or max(_numbered(folder, SNAPSHOT), default=0) > begun:
        what = (
            f"is of publish {version}, and what a newer one wrote lies beside it"
            if newest <= version
            else f"is of publish {version}, and publish {newest}, which is newer, was here before"
        )
        raise BundleRefusedError(
            Reason.BUNDLE_ROLLBACK,
            what,
            where=folder / METADATA_FOLDER / TIMESTAMP_FILE,
            fix="put the newest copy back (a web server's, a stick's); cameras refuse older ones",
        )


def require_no_newer(folder: Path, copy: Path) -> None:
    """Refuse to write over a copy that is newer than `folder`, or that went another way.

    Raises BundleRefusedError, UsageError. A copy that cannot be read is for the writing to tell.
    """
    ours = timestamp_in(folder)
    try:
        require_same_city(folder, copy)
        theirs, past = timestamp_in(copy), past_timestamps(copy)
    except StorageError:
        return
    version = ours.version if ours else 0
    newest = max(theirs.version if theirs else 0, max(past, default=0))
    if newest > version:
        what = f"holds publish {newest}, which is newer than this machine's publish {version}"
    elif ours and theirs and _differs(folder, ours, copy, theirs):
        what = f"holds another publish {theirs.version} than this machine's"
    else:
        return
    raise BundleRefusedError(
        Reason.BUNDLE_ROLLBACK,
        what,
        where=copy,
        fix=f"cameras may have taken it: copy it over {folder}, then publish from there",
    )


def require_same_city(folder: Path, copy: Path) -> None:
    """Refuse to write over another city's repository. Raises UsageError, StorageError."""
    first = Path(METADATA_FOLDER) / f"1.{ROOT}.json"
    theirs = _bytes(copy / first)
    if theirs is not None and theirs != _bytes(folder / first):
        raise UsageError(
            "another city's repository lies there",
            where=copy,
            fix="name another folder, or empty this one",
        )


def _differs(folder: Path, ours: Timestamp, copy: Path, theirs: Timestamp) -> bool:
    """Whether both have published the copy's version, with other bytes."""
    metadata = folder / METADATA_FOLDER
    kept = _bytes(metadata / f"{theirs.version}.{TIMESTAMP_FILE}")
    if kept is None and theirs.version == ours.version:
        kept = _bytes(metadata / TIMESTAMP_FILE)
    return kept is not None and kept != _bytes(copy / METADATA_FOLDER / TIMESTAMP_FILE)


def _numbered(folder: Path, role: str) -> dict[int, Path]:
    return {
        int(number): path
        for path in (folder / METADATA_FOLDER).glob(f"*.{role}.json")
        if (number := path.name.partition(".")[0]).isdecimal()
    }


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, path, "cannot read") from None


def parsed(data: bytes, kind: type[Kind], where: Path) -> Kind:
    """What a metadata file says, unverified. Raises StorageError."""
    with suppress(DeserializationError, ValueError):
        signed: object = Metadata.from_bytes(data).signed
        if isinstance(signed, kind):
            return signed
    raise StorageError("is damaged", where=where, fix="restore the repository from a copy")
