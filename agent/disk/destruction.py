"""Destroys a file: overwritten in place, then removed."""

import os
from pathlib import Path

from agent.disk.atomic_file import storage_error, sync_folder


def destroy(path: Path) -> None:
    """Overwrite a file in place, then remove it, each durably; a file that is gone is no error.

    Raises StorageError.

    Limit: it reaches the file's present blocks; a journal, a snapshot or flash wear-levelling may
    hold older ones.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            size = os.fstat(descriptor).st_size
            for start in range(0, size, _CHUNK_BYTES):
                os.pwrite(descriptor, bytes(min(_CHUNK_BYTES, size - start)), start)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        path.unlink()
    except FileNotFoundError:
        return
    except OSError as error:
        raise storage_error(error, path, "cannot destroy") from None
    sync_folder(path.parent)


_CHUNK_BYTES = 1 << 20
