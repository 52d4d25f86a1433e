"""Says of most texts, from one bit of memory, that no entry has them: the whole answer for nearly every alternative that a reader names.

A Bloom filter with one hash (Bloom, 1970). It never says no of a text that is listed; of others it says perhaps about once in fifty times, and then the
index is asked. It lies in no file: a forged one would hide entries in silence. It is made at every start, because its hash is Python's own of a text:
the quickest there is, and keyed anew in each process, so that nobody can choose texts that collide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.confusion import texts_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from agent.core.sighting import Alternative

_BITS_AN_ENTRY = 32
_MAX_BITS = 27  # 16 MB
_AT_ONCE = 65_536


class Filter:
    """Over the texts of some entries. `text_keys`: as in the hot list's column `text`."""

    def __init__(self, text_keys: Iterable[NDArray[Any]]) -> None:
        columns = tuple(text_keys)
        bits = min((_BITS_AN_ENTRY * sum(map(len, columns)) + 7).bit_length(), _MAX_BITS)
        self._mask = (1 << bits) - 1
        self._table = bytearray(1 << (bits - 3))  # read several times as quickly as an array of numpy's
        octets = np.frombuffer(self._table, np.uint8)
        for column in columns:
            for first in range(0, len(column), _AT_ONCE):
                texts = texts_of(column[first : first + _AT_ONCE])
                places = np.fromiter(map(hash, texts), np.int64, len(texts)) & self._mask
                for bit in range(8):
                    octets[places[places & 7 == bit] >> 3] |= 1 << bit

    def perhaps(self, others: Iterable[Alternative]) -> list[int]:
        """For each: 0 where no entry has exactly its text. In one expression, since it runs for every reading of every plate."""
        table, mask = self._table, self._mask
        return [table[(place := hash(other.text.value) & mask) >> 3] >> (place & 7) & 1 for other in others]
