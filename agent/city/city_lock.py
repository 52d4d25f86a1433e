"""One writer at a time in a city's folder, for the commands of `bundle` and `hotlist` alike: they
hold the same lock, and never while they ask a person something.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.disk.atomic_file import storage_error
from agent.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


PATIENCE_S = 10.0  # of a job that nobody watches: a command holds the lock for less than a second
_PAUSE_S = 0.1


@contextmanager
def only_writer(city: Path, patience_s: float = 0.0) -> Iterator[None]:
    """Two at the same time would lose a signature, or an addition to the hot list, or pass its cap.

    `patience_s`: how long to wait for another. Raises StorageError.
    """
    try:
        descriptor = os.open(city, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, city, "cannot open the city's folder") from None
    try:
        ends = time.monotonic() + patience_s
        while not _locked(descriptor):
            if time.monotonic() >= ends:
                raise StorageError(
                    "another `platewarden bundle` or `hotlist` is at work here",
                    where=city,
                    fix="wait until it is done",
                )
            time.sleep(_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
