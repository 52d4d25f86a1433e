"""One writer at a time in a city's folder, for the commands of `bundle` and `hotlist` alike: they
hold the same lock.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.disk.atomic_file import storage_error
from agent.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def only_writer(city: Path) -> Iterator[None]:
    """Two at the same time would lose a signature, or an addition to the hot list, or pass its cap.
    Raises StorageError.
    """
    try:
        descriptor = os.open(city, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise storage_error(error, city, "cannot open the city's folder") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StorageError(
                "another `platewarden bundle` or `hotlist` is at work here",
                where=city,
                fix="wait until it is done",
            ) from None
        yield
    finally:
        os.close(descriptor)
