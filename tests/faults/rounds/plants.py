"""Faults put into the product on purpose, one for each number that the rounds must keep at 0: a
test sees each found (tests/faults/test_rounds.py).
"""

import ctypes
import functools
import socket
import struct
from collections.abc import Callable

from agent.core.log.leaf import LeafKind
from agent.receiver.store.received_reads import ReceivedReads
from agent.sides.deliver import DeliverySide
from agent.storage.outbox import Outbox, release_details
from tests.faults.walls.attempts import STRANGER
from tests.support.camera_rig import PLATE


def _after(holder: type, name: str, more: Callable[..., object]) -> None:
    function = getattr(holder, name)

    @functools.wraps(function)
    def wrapper(*arguments: object, **named: object) -> object:
        result = function(*arguments, **named)
        more(*arguments)
        return result

    setattr(holder, name, wrapper)


def lose_what_is_stored() -> None:
    """The receiver says `stored`, and it is not."""

    def forget(store: ReceivedReads, reads, _at) -> None:
        for read in reads.values():
            store._index.execute("DELETE FROM reads WHERE read_id = ?", (read.tags.read_id,))

    _after(ReceivedReads, "add_all", forget)


def release_twice() -> None:
    """Watch commits a release's leaf again."""

    def again(outbox: Outbox, sealed) -> None:
        outbox._log.append(LeafKind.RELEASE, release_details(sealed.tags, "0" * 64))

    _after(Outbox, "put", again)


def write_a_plate() -> None:
    """Watch leaves a plate on the disk."""

    def write(outbox: Outbox, _sealed) -> None:
        (outbox._folder.path.parent / "watch/notes").write_text(PLATE)

    _after(Outbox, "put", write)


def call_a_stranger() -> None:
    """Deliver sends a datagram to nobody's address, past its own guard."""

    def call(_side: DeliverySide, _notifier) -> None:
        libc = ctypes.CDLL(None)
        place = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(53), socket.inet_aton(STRANGER))
        libc.sendto(libc.socket(socket.AF_INET, socket.SOCK_DGRAM, 0), b"x", 1, 0, place, 16)

    _after(DeliverySide, "pass_once", call)


# The number that each one makes greater than 0.
PLANTS = {
    "lost": lose_what_is_stored,
    "duplicates": release_twice,
    "plaintext": write_a_plate,
    "unlisted": call_a_stranger,
}
