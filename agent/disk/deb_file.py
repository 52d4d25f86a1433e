"""Reads a Debian package (deb(5)): an archive of `ar` with two tar archives in it. Nothing of it is
run, and of its files only those below one folder are taken.
"""

from __future__ import annotations

import lzma
import os
import tarfile
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, BinaryIO

from agent.errors import ConfigError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_MAGIC, _HEADER_BYTES = b"!<arch>\n", 60
_MOST_MEMBERS, _MOST_CONTROL_BYTES = 16, 1 << 20
MOST_FILES, MOST_UNPACKED_BYTES = 40_000, 2 << 30
_CHUNK_BYTES = 1 << 20
_FOREIGN = (tarfile.TarError, lzma.LZMAError, EOFError, ValueError, UnicodeDecodeError)


def control_of(package: Path) -> Mapping[str, str]:
    """The fields of its control file, first lines only. Raises ConfigError, StorageError."""
    with _tar(package, "control.tar") as archive:
        for member in archive:
            if member.name.removeprefix("./") == "control" and member.isfile():
                if member.size > _MOST_CONTROL_BYTES:
                    raise _odd(package, "its control file is too long")
                content = archive.extractfile(member)
                text = content.read().decode("utf-8") if content else ""
                pairs = (line.partition(":") for line in text.splitlines() if line[:1].strip())
                return {name.strip(): value.strip() for name, _, value in pairs}
    raise _odd(package, "it has no control file")


def unpack(package: Path, wanted: str, into: Path) -> int:
    """Put the files below the folder `wanted` (usr/lib/example) where they lie, below `into`, and
    return how many. Modes are 0644 and 0755; owners are whoever calls.

    Raises ConfigError for links and devices there, for names that lead out and for more than fits;
    StorageError where the disk fails. What was written until then stays.
    """
    files, left = 0, MOST_UNPACKED_BYTES
    with _tar(package, "data.tar") as archive:
        for member in archive:
            name = member.name.removeprefix("./").rstrip("/")
            if not name.startswith(f"{wanted}/") and name != wanted:
                continue
            if ".." in name.split("/") or not (member.isfile() or member.isdir()):
                raise _odd(package, "it holds a link or a device where modules belong")
            if member.isdir():
                continue
            files, left = files + 1, left - member.size
            if files > MOST_FILES or left < 0:
                raise _odd(package, "it holds more than a camera takes")
            content = archive.extractfile(member)
            assert content is not None  # noqa: S101 (for mypy: it is a regular file)
            _write(into / name, content, executable=bool(member.mode & 0o100))
    return files


def texts_below(package: Path, wanted: str, most_bytes: int) -> dict[str, bytes]:
    """The small regular files directly in a folder, by name. Raises ConfigError, StorageError."""
    found: dict[str, bytes] = {}
    with _tar(package, "data.tar") as archive:
        for member in archive:
            folder, _, name = member.name.removeprefix("./").rpartition("/")
            if folder == wanted and member.isfile():
                if member.size > most_bytes:
                    raise _odd(package, f"{wanted}/{name} is too long")
                content = archive.extractfile(member)
                found[name] = content.read() if content else b""
    return found


def _write(path: Path, content: IO[bytes], *, executable: bool) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, 0o755 if executable else 0o644)
        with os.fdopen(descriptor, "wb") as file:
            while chunk := content.read(_CHUNK_BYTES):
                file.write(chunk)
    except OSError as error:
        raise StorageError(
            f"cannot write: {(error.strerror or 'unknown error').lower()}",
            where=path,
            fix="free space",
        ) from None


@contextmanager
def _tar(package: Path, name: str) -> Iterator[tarfile.TarFile]:
    """The member that begins with `name`, as a tar archive that is read once, front to back."""
    try:
        with package.open("rb") as file:
            length = _found(package, file, name)
            inner = _Window(file, length)
            with tarfile.open(fileobj=inner, mode="r|*") as archive:  # type: ignore[call-overload]
                yield archive
    except _FOREIGN:
        raise _odd(package, f"its {name} cannot be read") from None
    except OSError as error:
        raise StorageError(
            f"cannot read: {(error.strerror or 'unknown error').lower()}", where=package
        ) from None


def _found(package: Path, file: BinaryIO, name: str) -> int:
    """Go to a member of the `ar` archive; how long it is. Raises ConfigError."""
    if file.read(len(_MAGIC)) != _MAGIC:
        raise _odd(package, "it is no archive of dpkg's")
    for _ in range(_MOST_MEMBERS):
        header = file.read(_HEADER_BYTES)
        if len(header) != _HEADER_BYTES or header[58:] != b"`\n":
            break
        digits = header[48:58].strip()
        if not digits.isdigit():
            break
        if file.tell() + int(digits) > os.fstat(file.fileno()).st_size:
            raise _odd(package, "it is cut short")
        if header[:16].startswith(name.encode()):
            return int(digits)
        file.seek(int(digits) + int(digits) % 2, os.SEEK_CUR)
    raise _odd(package, f"it has no {name}")


class _Window:
    """The next bytes of a file, as a stream of their own."""

    def __init__(self, file: BinaryIO, length: int) -> None:
        self._file, self._left = file, length

    def read(self, size: int) -> bytes:
        """At most `size` bytes; none at the member's end."""
        data = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _odd(package: Path, what: str) -> ConfigError:
    return ConfigError(
        f"is no package that can be used: {what}", where=package, fix="fetch or build it again"
    )
