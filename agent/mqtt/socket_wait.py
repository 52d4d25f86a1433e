"""Waiting for sockets by poll: `select` ends at the 1,024th open file, whatever the limit of open
files, with a ValueError that looks like a broken connection.
"""

import math
import select
from collections.abc import Iterable
from typing import Protocol

_OVER = select.POLLHUP | select.POLLERR


class Waited(Protocol):
    """Has a descriptor; -1 once it is closed."""

    def fileno(self) -> int: ...


def wait_for(
    reading: Iterable[Waited], writing: Iterable[Waited], timeout_s: float
) -> tuple[bool, bool]:
    """Wait at most so long: can any be read, can any be written?

    One that is over counts as both: the next call of its owner tells. Raises ValueError for a
    closed one.
    """
    poll, wanted = select.poll(), dict[int, int]()
    for one in reading:
        wanted[one.fileno()] = select.POLLIN
    for one in writing:
        wanted[one.fileno()] = wanted.get(one.fileno(), 0) | select.POLLOUT
    for descriptor, events in wanted.items():
        poll.register(descriptor, events)
    ready = poll.poll(math.ceil(max(0.0, timeout_s) * 1000))
    return (
        any(wanted[one] & select.POLLIN and got & (select.POLLIN | _OVER) for one, got in ready),
        any(wanted[one] & select.POLLOUT and got & (select.POLLOUT | _OVER) for one, got in ready),
    )
