"""Copies a repository from a source into an inbox: what its metadata names, targets first and the
timestamp last.

Believes nothing and verifies nothing.

For `update`, which is trusted with nothing: `watch`, `deliver` and `walls` each verify for
themselves. Hashes are compared only to notice a broken transport.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from agent.bundles.layout import (
    MAX_FILES,
    MAX_METADATA_BYTES,
    MAX_TIMESTAMP_BYTES,
    METADATA_FOLDER,
    ROOT,
    SNAPSHOT,
    TARGETS_FOLDER,
    TIMESTAMP,
    most_bytes,
    rule_of,
    wanted_by,
)
from agent.core.reasons import Reason
from agent.disk.atomic_file import private_folder, publish, remove, storage_error, write_atomic
from agent.disk.input_file import chunks_beneath, digest_of_file, input_chunks
from agent.errors import BundleRefusedError, ConfigError, NetworkError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from agent.settings import Limits

    Chunks = Callable[[int], Iterator[bytes]]
    """A file's content from a byte on."""

MAX_ROOTS = 64
MAX_ROLES = 100
PART = ".part"
FILE_MODE, FOLDER_MODE = 0o644, 0o755  # public: the processes that verify are other users
_PATH = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]{0,99}/){0,3}[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Source(Protocol):
    """Where a repository lies.

    `name`: a path in it, of letters, digits, `.`, `-`, `_` and `/`.

    `chunks` begins at byte `begin`. It raises FileNotFoundError before the first chunk where there
    is no such file, ConfigError or NetworkError where it cannot be read.
    """

    def chunks(self, name: str, max_bytes: int, begin: int = 0) -> Iterator[bytes]: ...


@dataclass(frozen=True, slots=True)
class FolderSource:
    """A directory, or a mounted stick. Only read; no link in it is followed."""

    folder: Path

    def chunks(self, name: str, max_bytes: int, begin: int = 0) -> Iterator[bytes]:
        missing = "copy the repository again, whole"
        for chunk in chunks_beneath(self.folder, name, max_bytes, missing=missing):
            yield chunk[begin:]
            begin = max(0, begin - len(chunk))


@dataclass(frozen=True, slots=True)
class Fetched:
    """`files`: how many were written; `timestamp`: the version that the source has now."""

    files: int
    timestamp: int


class Fetch:
    """One run from one source into one inbox, for one camera: of the hot list's keys only its own
    group's are copied.

    Raises BundleRefusedError (incomplete, malformed, too large), ConfigError, NetworkError,
    StorageError; the inbox then holds what it held, and perhaps more, but no timestamp that
    promises what is not there.
    """

    def __init__(self, source: Source, inbox: Path, limits: Limits, camera: str) -> None:
        self._source = source
        self._inbox = inbox
        self._left = limits.max_bundle_bytes
        self._limits, self._camera = limits, camera
        self._wanted: set[str] = set()
        self._written = 0

    def run(self) -> Fetched:
        """Everything that is new."""
        timestamp = self._metadata(f"{TIMESTAMP}.json", MAX_TIMESTAMP_BYTES)
        version = _whole(_signed(timestamp), "version")
        snapshot_version = _whole(
            _member(_member(_signed(timestamp), "meta"), f"{SNAPSHOT}.json"), "version"
        )
        metadata = {
            f"{snapshot_version}.{SNAPSHOT}.json": self._metadata(
                f"{snapshot_version}.{SNAPSHOT}.json"
            )
        }
        listed = _member(_signed(metadata[f"{snapshot_version}.{SNAPSHOT}.json"]), "meta")
        if len(listed) > MAX_ROLES:
            raise _malformed("names too many roles", f"{SNAPSHOT}.json")
        for file, meta in listed.items():
            if rule_of(file.removesuffix(".json")) is None:
                continue  # a role that this version does not know: those who verify will say so
            name = f"{_whole(meta, 'version')}.{file}"
            metadata[name] = self._metadata(name)
        targets = [one for name, data in metadata.items() for one in self._targets(name, data)]
        self._drop_other_parts({name for name, _, _ in targets})
        for target in targets:
            self._target(*target)
        metadata |= self._roots()
        for name, data in metadata.items():
            self._keep(f"{METADATA_FOLDER}/{name}", data)
        self._keep(f"{METADATA_FOLDER}/{TIMESTAMP}.json", timestamp)
        self._tidy()
        return Fetched(self._written, version)

    def _roots(self) -> dict[str, bytes]:
        """Every root from the second on: cameras may be some behind, and each of them follows from
        the one before.
        """
        found: dict[str, bytes] = {}
        for version in range(1, MAX_ROOTS):
            name = f"{version}.{ROOT}.json"
            try:
                found[name] = self._read(f"{METADATA_FOLDER}/{name}", MAX_METADATA_BYTES)
                _signed(found[name])  # what is no metadata is copied nowhere
            except FileNotFoundError:
                if version > 1:  # a source may leave the first one out: cameras have it
                    break
        return found

    def _targets(self, name: str, metadata: bytes) -> Iterator[tuple[str, str, int]]:
        """What a role's metadata names for this camera: file name, SHA-256, greatest length."""
        files = _signed(metadata).get("targets", {})
        if not isinstance(files, dict) or len(files) > MAX_FILES:
            raise _malformed("names too many files", name)
        for path, described in files.items():
            digest = _member(described, "hashes").get("sha256")
            if (
                _PATH.fullmatch(path) is None
                or not isinstance(digest, str)
                or _SHA256.fullmatch(digest) is None
            ):
                raise _malformed("names a file that no repository has", name)
            if not wanted_by(path, self._camera):
                continue
            folder, slash, last = path.rpartition("/")
            yield (
                f"{TARGETS_FOLDER}/{folder}{slash}{digest}.{last}",
                digest,
                min(_whole(described, "length"), most_bytes(path)),
            )

    def _drop_other_parts(self, names: set[str]) -> None:
        """What broke off in an earlier run is of use only while the file is still wanted."""
        wanted = {part_of(self._inbox / name) for name in names}
        for path in (self._inbox / TARGETS_FOLDER).rglob(f".*{PART}"):
            if path not in wanted:
                remove(path)

    def _target(self, name: str, digest: str, length: int) -> None:
        """One file, straight to the disk: a hot list need not fit into memory."""
        self._wanted.add(name)
        self._left -= length
        if self._left < 0:
            what = f"all files together hold more than {self._limits.max_bundle_bytes} bytes"
            raise BundleRefusedError(
                Reason.BUNDLE_TOO_LARGE,
                what,
                where=name,
                fix="raise max_bundle_bytes in [limits], if the city means it",
            )
        self._written += keep_file(
            lambda begin: self._chunks(name, length, begin), self._inbox, name, digest, length
        )

    def _metadata(self, name: str, most: int = MAX_METADATA_BYTES) -> bytes:
        return b"".join(self._chunks(f"{METADATA_FOLDER}/{name}", most))

    def _chunks(self, name: str, most: int, begin: int = 0) -> Iterator[bytes]:
        try:
            yield from self._source.chunks(name, most, begin)
        except FileNotFoundError:
            raise BundleRefusedError(
                Reason.BUNDLE_INCOMPLETE,
                "is not there",
                where=name,
                fix="is it a repository, and its copy finished?",
            ) from None
        except ConfigError as error:
            raise BundleRefusedError(
                Reason.BUNDLE_INCOMPLETE, error.what, where=name, fix="copy or fetch it again"
            ) from None

    def _read(self, name: str, most: int) -> bytes:
        return b"".join(self._source.chunks(name, most))

    def _keep(self, name: str, data: bytes) -> None:
        self._wanted.add(name)
        path = self._inbox / name
        private_folder(path.parent, FOLDER_MODE)
        if not path.is_file() or path.stat().st_size != len(data) or path.read_bytes() != data:
            write_atomic(path, data, FILE_MODE)
            self._written += 1

    def _tidy(self) -> None:
        """Remove what nothing names any more: every hot list of a year would fill the card."""
        for folder in (METADATA_FOLDER, TARGETS_FOLDER):
            for path in (self._inbox / folder).rglob("*"):
                if path.is_file() and str(path.relative_to(self._inbox)) not in self._wanted:
                    remove(path)


def keep_file(chunks: Chunks, inbox: Path, name: str, digest: str, length: int) -> bool:
    """Write a file of a repository into an inbox, whole, where it is not there yet; whether it was
    written. `chunks` is asked only then.

    Raises BundleRefusedError, NetworkError, StorageError. What a broken network has left stays for
    the next run.
    """
    path = inbox / name
    if path.is_file() and path.stat().st_size == length and _digest(path, length) == digest:
        return False
    private_folder(path.parent, FOLDER_MODE)
    part = part_of(path)
    there = part.is_file() and 0 < part.stat().st_size < length
    if _fill(part, chunks, length, resume=there) != digest and (
        not there or _fill(part, chunks, length, resume=False) != digest
    ):
        part.unlink()
        raise BundleRefusedError(
            Reason.BUNDLE_TARGET_ALTERED,
            "its content is not what its name says",
            where=name,
            fix="fetch it again",
        )
    publish(part, path)
    return True


def _fill(part: Path, chunks: Chunks, length: int, *, resume: bool) -> str:
    """Write a part to its end; its SHA-256. `resume`: behind what an earlier run has left.

    What a broken network has left stays for the next run: the file's name is its hash, so nothing
    else can come of it.
    """
    found, begin = hashlib.sha256(), 0
    if resume:
        for chunk in input_chunks(part, length, missing="it was there a moment ago"):
            found.update(chunk)
            begin += len(chunk)
    try:
        with part.open("ab" if resume else "wb") as file:
            for chunk in chunks(begin):
                found.update(chunk)
                file.write(chunk)
            file.flush()
        part.chmod(FILE_MODE)
    except NetworkError:
        raise
    except OSError as error:
        part.unlink(missing_ok=True)
        raise storage_error(error, part, "cannot write") from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return found.hexdigest()


def part_of(path: Path) -> Path:
    """Where a file lies until it is whole."""
    return path.with_name(f".{path.name}{PART}")


def _signed(metadata: bytes) -> dict[str, Any]:
    try:
        return _member(json.loads(metadata), "signed")
    except (ValueError, RecursionError):
        raise _malformed("is not metadata", METADATA_FOLDER) from None


def _member(table: object, name: str) -> dict[str, Any]:
    value = table.get(name) if isinstance(table, dict) else None
    if not isinstance(value, dict):
        raise _malformed(f"lacks `{name}`", METADATA_FOLDER)
    return value


def _whole(table: object, name: str) -> int:
    value = table.get(name) if isinstance(table, dict) else None
    if type(value) is not int or not 0 <= value < 1 << 53:
        raise _malformed(f"`{name}` is no number", METADATA_FOLDER)
    return value


def _malformed(what: str, where: str) -> BundleRefusedError:
    return BundleRefusedError(
        Reason.BUNDLE_MALFORMED, what, where=where, fix="is it a repository of Platewarden's?"
    )


def _digest(path: Path, most: int) -> str:
    return digest_of_file(path, most, missing="it was there a moment ago")[0]
