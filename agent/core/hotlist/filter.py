"""Says of most texts, from one bit of memory, that no entry has them: the whole answer for nearly
every alternative that a reader names.

A Bloom filter of two bits a text (Bloom, 1970). It never says no of a text that is listed; of
others it says perhaps about three times in a thousand, and then the index is asked. It lies in no
file: a forged one would hide entries in silence. It is made at every start, because its hash is
Python's own of a text: the quickest there is, and keyed anew in each process, so that nobody can
choose texts that collide.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.hotlist.confusion import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from agent.core.reading.sighting import Alternative

_BITS_AN_ENTRY = 32
_MAX_BITS = 27  # 16 MB
_AT_ONCE = 65_536
_SECOND = 32  # where the second bit's place begins in a hash of 64 bits


class Filter:
    """Over the texts of some entries. `text_keys`: as in the hot list's column `text`."""

    def __init__(self, text_keys: Iterable[NDArray[Any]]) -> None:
        columns = tuple(text_keys)
        bits = min((_BITS_AN_ENTRY * sum(map(len, columns)) + 7).bit_length(), _MAX_BITS)
        self._mask = (1 << bits) - 1
        self._table = _memory(max(mmap.PAGESIZE, 1 << (bits - 3)))
        octets = np.frombuffer(self._table, np.uint8)
        for column in columns:
            for first in range(0, len(column), _AT_ONCE):
                texts = texts_of(column[first : first + _AT_ONCE])
                hashes = np.fromiter(map(hash, texts), np.int64, len(texts))
                for places in (hashes & self._mask, hashes >> _SECOND & self._mask):
                    for bit in range(8):
                        octets[places[places & 7 == bit] >> 3] |= 1 << bit

    def perhaps(self, others: Sequence[Alternative]) -> list[int]:
        """For each: 0 where no entry has exactly its text.

        In one expression, since it runs for every reading of every plate; the second bit is seldom
        asked.
        """
        table, mask = self._table, self._mask
        found = [
            table[(place := hash(other.text.value) & mask) >> 3] >> (place & 7) & 1
            for other in others
        ]
        if 1 not in found:
            return found
        return [
            one
            and table[(place := hash(other.text.value) >> _SECOND & mask) >> 3] >> (place & 7) & 1
            for one, other in zip(found, others, strict=True)
        ]


def _memory(size: int) -> mmap.mmap:
    """Zeroed memory of this process alone, in huge pages where the kernel gives them: a fifth off
    each look, most of which is waiting for a far address.
    """
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    with suppress(OSError):  # a kernel built without them
        memory.madvise(mmap.MADV_HUGEPAGE)
    return memory
