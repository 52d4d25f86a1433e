"""Writes a file whole or not at all, and reads files that another user may have planted."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from agent.errors import StorageError

PART_SUFFIX = ".part"
FULL = (errno.ENOSPC, errno.EDQUOT)
_CHUNK_BYTES = 1 << 16
_AT_ONCE = 200  # files that are open at a time


def write_atomic(path: Path, data: bytes, mode: int = 0o600) -> None:
    """After return `path` holds exactly `data` and survives a power cut; a reader sees the old file
    or the new one, never a part.

    Raises StorageError; the old file is then untouched, unless it was the folder's own sync that
    failed, after the rename.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    try:
        write_new(part, data, mode, final=path)
        publish(part, path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def write_all(files: Mapping[Path, bytes], mode: int = 0o600) -> None:
    """As `write_atomic` for each of many: a part of them may be there after an error, each whole.

    Raises StorageError.
    """
    named = [
        (path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}"), path)
        for path in files
    ]
    for begin in range(0, len(named), _AT_ONCE):
        final = dict(named[begin : begin + _AT_ONCE])
        write_all_new({part: files[path] for part, path in final.items()}, final.__getitem__, mode)
        for part, path in final.items():
            rename(part, path)
        for folder in {path.parent for path in final.values()}:
            sync_folder(folder)


def write_whole(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A reader sees the old file or the new one, never a part. A power cut may leave the old one,
    the new one, or an empty one: only for what is written again then.

    Raises StorageError; the old file is then untouched.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PART_SUFFIX}")
    write_new(part, data, mode, final=path, sync=False)
    rename(part, path)


def write_new(
    path: Path, data: bytes, mode: int = 0o600, *, final: Path | None = None, sync: bool = True
) -> None:
    """Create `path` with `data`, on disk when this returns; refuses a path that exists.

    A failed file is removed.

    `final`: the name that it will get, to be named in an error. `sync`: off where somebody else
    sees to it. Raises StorageError.
    """
    with _creating(path, data, mode, final or path) as descriptor:
        if sync:
            os.fsync(descriptor)


def write_all_new(
    files: Mapping[Path, bytes], final: Callable[[Path], Path], mode: int = 0o600
) -> None:
    """As `write_new` for each; all are on disk when this returns.

    All are on their way to the disk before the first sync waits: a file system's journal then takes
    them together, and each further sync costs little. `final`: the name that a file will get.
    Raises StorageError; none is left then.
    """
    with ExitStack() as open_files:
        created = [
            (path, open_files.enter_context(_creating(path, data, mode, final(path))))
            for path, data in files.items()
        ]
        for _, descriptor in created:
            # Only a hint, which macOS does not have: the sync tells what fails.
            with suppress(OSError, AttributeError):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        for path, descriptor in created:
            try:
                os.fsync(descriptor)
            except OSError as error:
                raise storage_error(error, final(path), "cannot write") from None


@contextmanager
def _creating(path: Path, data: bytes, mode: int, named: Path) -> Iterator[int]:
    """A new file that holds `data`, open for its sync; removed if anything fails inside."""
    try:
        # O_EXCL: a name planted in advance (even a dangling symlink) is an error, never followed or
        # overwritten.
        descriptor = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode
        )
    except OSError as error:
        raise storage_error(error, named, "cannot create") from None
    try:
        try:
            # The umask may only have narrowed it; say exactly what we mean.
            if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
                os.fchmod(descriptor, mode)
            _write_all(descriptor, data)
            yield descriptor
        finally:
            os.close(descriptor)
    except BaseException as error:
        with suppress(OSError):
            path.unlink()
        if isinstance(error, OSError):
            raise storage_error(error, named, "cannot write") from None
        raise


def publish(part: Path, path: Path) -> None:
    """Give a finished part its name, durably. Both lie in the same folder. Raises StorageError."""
    rename(part, path)
    sync_folder(path.parent)


def rename(part: Path, path: Path) -> None:
    """As `publish`, without the sync of the folder. Raises StorageError; the part is then gone."""
    try:
        part.rename(path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise storage_error(error, path, "cannot rename into place") from None


def remove(path: Path) -> None:
    """Remove a file, durably; a file that is already gone is no error. Raises StorageError."""
    unlink(path)
    sync_folder(path.parent)


def unlink(path: Path) -> None:
    """As `remove`, but a power cut may bring the file back. Raises StorageError."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise storage_error(error, path, "cannot remove") from None


def sync_folder(folder: Path) -> None:
    """Make creations, renames and removals in `folder` survive a power cut. Raises StorageError."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise storage_error(error, folder, "cannot sync the folder") from None


def read_bounded(path: Path, max_bytes: int) -> bytes:
    """The bytes of a regular file of at most `max_bytes`; reads no byte of anything else.

    Mitigates against: symlinks to secrets, FIFOs that block, devices that never end, files that
    fill the memory. Raises StorageError; `FileNotFoundError` is its `__cause__` when there is no
    such file.
    """
    try:
        # O_NONBLOCK: opening a planted FIFO would otherwise wait for a writer for ever.
        descriptor = os.open(
            path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        )
    except FileNotFoundError as error:
        raise StorageError("no such file", where=path) from error
    except OSError as error:
        raise storage_error(error, path, "cannot open") from None
    try:
        return read_regular(descriptor, path, max_bytes)
    except OSError as error:
        raise storage_error(error, path, "cannot read") from None
    finally:
        os.close(descriptor)


def private_folder(folder: Path, mode: int = 0o700) -> None:
    """Make `folder` (and its parents) if missing, the last with `mode`. Raises StorageError."""
    try:
        if folder.is_dir():
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=mode)
        folder.chmod(mode)
    except OSError as error:
        raise storage_error(error, folder, "cannot make the folder") from None
    sync_folder(folder.parent)


def storage_error(error: OSError, path: Path, what: str) -> StorageError:
    """A foreign OSError as ours: names the file, the system's reason, and the next step."""
    if error.errno == errno.ELOOP:  # opened with O_NOFOLLOW, as everything of ours is
        return StorageError(
            "is a symbolic link, not a file",
            where=path,
            fix="remove it; nothing of ours makes links",
        )
    reason = (error.strerror or "unknown error").lower()
    if error.errno in FULL:
        reason = f"the disk is full ({reason})"
    if error.errno in (*FULL, errno.EFBIG):
        fix = f"free space on the file system of {path.parent}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        fix = f"check the owner, the permissions and the mount of {path.parent}"
    elif error.errno == errno.ENOENT:
        fix = f"make the folder {path.parent}, or correct the path"
    else:
        fix = "check the disk and the folder"
    return StorageError(f"{what}: {reason}", where=path, fix=fix)


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def read_regular(descriptor: int, path: Path, max_bytes: int) -> bytes:
    """The bytes of an opened file, which must be a regular one of at most `max_bytes`.

    Raises StorageError, OSError.
    """
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise StorageError(
            "is not a regular file", where=path, fix="remove it; nothing of ours makes such files"
        )
    if status.st_size > max_bytes:
        raise StorageError(
            f"holds {status.st_size} bytes; at most {max_bytes} are read",
            where=path,
            fix="remove it, or raise the limit in [limits]",
        )
    chunks: list[bytes] = []
    left = max_bytes + 1  # the size may grow after fstat: one byte more than allowed shows it
    while left > 0 and (chunk := os.read(descriptor, min(left, _CHUNK_BYTES))):
        chunks.append(chunk)
        left -= len(chunk)
    if left <= 0:
        raise StorageError(
            f"grew beyond {max_bytes} bytes while it was read", where=path, fix="remove it"
        )
    return b"".join(chunks)
