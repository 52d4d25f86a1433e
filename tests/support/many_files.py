"""A process with so many open files that the next descriptor is past what `select` can hold."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

FD_SETSIZE = 1024


@contextmanager
def many_files() -> Iterator[None]:
    """Inside, each new descriptor has a number of 1,024 or more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * FD_SETSIZE), hard))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    try:
        while opened[-1] < FD_SETSIZE:
            opened.append(os.dup(opened[0]))
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
