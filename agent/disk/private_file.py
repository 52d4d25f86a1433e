"""Makes files that nobody else can read, and reads a private key file only when nobody else can."""

import os
import stat
from pathlib import Path

from agent.disk.atomic_file import read_regular, storage_error
from agent.errors import StorageError

MAX_BYTES = 4_096


def open_private(path: Path, what: str) -> int:
    """A descriptor of a file of ours, made with mode 0600 where there is none, and never opened
    through a link.

    `what`: the error's words. Raises StorageError.
    """
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise storage_error(error, path, what) from None


def create_private(path: Path, what: str) -> None:
    """Make the file before SQLite would with the umask's mode; its -wal and -shm inherit this one.

    One that is there is never opened: closing it would take away the locks of every connection that
    this process has to it (sqlite.org/howtocorrupt.html, 2.2). The next program that looks into the
    database would then delete the log of the newest writes under them.

    Raises StorageError.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    except FileExistsError:
        if path.is_symlink() or not path.is_file():
            raise StorageError(
                f"{what}: not a regular file", where=path, fix="move it away"
            ) from None
    except OSError as error:
        raise storage_error(error, path, what) from None


def credential_or(path: Path) -> Path:
    """Where a private key lies: in the unit's systemd credentials under its name, or where the
    settings say.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    if folder and (given := Path(folder) / path.name).is_file():
        return given
    return path


def open_to_others(path: Path, mode: int) -> bool:
    """May anybody but its one user read or change this key?

    `mode`: of the opened file.

    Of a unit's credentials systemd stays the owner and lets the unit's user in by an access list,
    which shows as the group's right to read (acl(5)); nobody else can enter their folder.
    """
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    shown = stat.S_IRGRP if folder and path.parent == Path(folder) else 0
    return bool(mode & 0o077 & ~shown)


def read_private(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file with no permission for group or others.

    Raises StorageError; FileNotFoundError is its cause when it is not there.
    """
    try:
        return read_owned(path, max_bytes)
    except FileNotFoundError as error:
        raise StorageError(
            "no such key file",
            where=path,
            fix="restore it; "
            "`platewarden provision` makes a camera's, `platewarden receiver init` a receiver's",
        ) from error
    except OSError as error:
        raise storage_error(error, path, "cannot open") from None


def read_owned(path: Path, max_bytes: int = MAX_BYTES) -> bytes:
    """The same for callers with words of their own for a file that does not open.

    Raises OSError; StorageError where others may read it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)  # of the opened file: a look at the path could be raced
        if not stat.S_ISREG(status.st_mode) or open_to_others(path, status.st_mode):
            raise StorageError(
                "a private key must be a file that only its owner can read",
                where=path,
                fix=f"chmod 600 {path}; make a new key if strangers had access",
            )
        return read_regular(descriptor, path, max_bytes)
    finally:
        os.close(descriptor)
