"""Reads a file that somebody else wrote: regular, bounded, or a ConfigError that names it and the
next step.
"""

import errno
import hashlib
import os
import stat
from collections.abc import Generator
from pathlib import Path

from agent.errors import ConfigError

CHUNK_BYTES = 1 << 22


def read_input(path: Path, max_bytes: int, *, missing: str) -> bytes:
    """The bytes of a regular file; `missing` is the next step where there is none.

    Raises ConfigError.

    Mitigates against: FIFOs that block, devices that never end, files that fill the memory. A link
    is followed: a city may link its files.
    """
    return b"".join(input_chunks(path, max_bytes, missing=missing))


def input_chunks(path: Path, max_bytes: int, *, missing: str) -> Generator[bytes]:
    """The same in chunks, for a file that need not lie in memory.

    Raises ConfigError, before the first chunk or later.
    """
    yield from _read(_open(path, missing), path, max_bytes)


def digest_of_file(path: Path, max_bytes: int, *, missing: str) -> tuple[str, int]:
    """Hex SHA-256 of the same file, and its length in bytes. Raises ConfigError."""
    digest, length = hashlib.sha256(), 0
    for chunk in input_chunks(path, max_bytes, missing=missing):
        digest.update(chunk)
        length += len(chunk)
    return digest.hexdigest(), length


def _read(descriptor: int, path: Path, max_bytes: int) -> Generator[bytes]:
    """The content of an open file, which is closed at the end."""
    left = max_bytes
    try:
        while chunk := os.read(descriptor, CHUNK_BYTES):
            left -= len(chunk)
            if left < 0:
                raise ConfigError(
                    f"more than {max_bytes} bytes", where=path, fix="is it the right file?"
                )
            yield chunk
    except OSError as error:
        raise ConfigError(
            f"cannot read: {(error.strerror or 'unknown error').lower()}",
            where=path,
            fix="check the disk",
        ) from None
    finally:
        os.close(descriptor)


def chunks_beneath(folder: Path, name: str, max_bytes: int, *, missing: str) -> Generator[bytes]:
    """As input_chunks, of a file in a folder that somebody else wrote: no link in it is followed,
    neither of a folder nor of the file.

    Raises ConfigError; FileNotFoundError before the first chunk where there is no such file.

    Mitigates against: a stick whose `metadata` is a link to what this user may read, and its maker
    may not.
    """
    *folders, last = name.split("/")
    here = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        for one in folders:
            inner = os.open(one, flags | os.O_DIRECTORY, dir_fd=here)
            os.close(here)
            here = inner
        descriptor = os.open(last, flags | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=here)
    except FileNotFoundError:
        raise
    except OSError as error:
        what = (
            "is a link, and links are not followed here"
            if error.errno in {errno.ELOOP, errno.ENOTDIR}
            else f"cannot open: {(error.strerror or 'unknown error').lower()}"
        )
        raise ConfigError(what, where=folder / name, fix="copy the files themselves") from None
    finally:
        os.close(here)
    yield from _read(_regular(descriptor, folder / name, missing), folder / name, max_bytes)


def _open(path: Path, missing: str) -> int:
    """A descriptor of a regular file."""
    try:
        # O_NONBLOCK: opening a FIFO would otherwise wait for a writer for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ConfigError("no such file", where=path, fix=missing) from None
    except OSError as error:
        raise ConfigError(
            f"cannot open: {(error.strerror or 'unknown error').lower()}",
            where=path,
            fix="check its owner and permissions",
        ) from None
    return _regular(descriptor, path, missing)


def _regular(descriptor: int, path: Path, missing: str) -> int:
    """The same descriptor, if it is of a regular file."""
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ConfigError("not a regular file", where=path, fix=missing)
    return descriptor
