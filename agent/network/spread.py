"""In which order a camera tries the addresses of one broker or bundle source, so that a fleet does
not sit on the first of them.
"""

import hashlib
from collections.abc import Iterable, Sequence

Address = tuple[str, int]


def spread(addresses: Iterable[Address], camera: str) -> Sequence[Address]:
    """All of them, in this camera's own order, which stays the same. Each is the first of about as
    many cameras as any other, and so is each of the rest where the first is away: rendezvous
    hashing (Thaler and Ravishankar 1998).

    `camera`: its id. An address more or less moves no camera between the others.
    """

    def weight(address: Address) -> bytes:
        return hashlib.sha256(f"{camera}\n{address[0]}\n{address[1]}".encode()).digest()

    return sorted(addresses, key=weight)
