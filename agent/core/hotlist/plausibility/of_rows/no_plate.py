"""Finds words that stand where no plate was known: NONE, UNKNOWN, XXXXXXX.

Each is somewhere a real plate, and its owner would be told for every vehicle without one: so they
are asked for.
"""

from __future__ import annotations

from itertools import product, repeat
from typing import TYPE_CHECKING

from agent.core.hotlist.plausibility.doubts import Doubt
from agent.core.reading.plate_letters import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.hotlist.plausibility.of_rows.issuers import Issuers

_DIGITS = "0123456789"
_LONG = 5  # a word of so many letters is one with a number behind it, too: UNKNOWN2
_CUT = 7  # a longer word is one when it is cut to so many letters or more: a narrow field did it
_TOLD = (
    'plate: a word for "no plate"; correct the row, '
    f"or give {Doubt.NO_PLATE.flag} where a vehicle really has it"
)
_NONE = "plate: empty"


class NoPlateWords:
    """The words of one jurisdiction."""

    def __init__(self, issuers: Issuers) -> None:
        words = {word[:end] for word in issuers.words for end in range(_CUT, len(word))}
        self._words = frozenset(form for word in issuers.words | words for form in _typed(word))
        self._long = frozenset(word for word in self._words if len(word) >= _LONG)
        self._repeated = issuers.repeated

    def any(self, plates: Sequence[str]) -> bool:
        """Is one of these such a word? They are normalised."""
        return not (
            self._words.isdisjoint(plates)
            and self._long.isdisjoint(map(str.rstrip, plates, repeat(_DIGITS)))
            and not any(self._is_repeated(plate) for plate in _of_one_character(plates))
        )

    def doubt(self, untrusted_plate: str) -> str:
        """What is wrong with a plate as it was written; empty where nothing is."""
        bare = "".join(filter(str.isalnum, folded(untrusted_plate))).upper()
        if not bare:
            return _NONE
        word = bare in self._words or bare.rstrip(_DIGITS) in self._long
        return _TOLD if word or self._is_repeated(bare) else ""

    def _is_repeated(self, bare: str) -> bool:
        return bare[:1] in self._repeated and not bare.strip(bare[0])


def _typed(word: str) -> Iterable[str]:
    """The word with each O and I as a nought or a one, too."""
    choices = [{"O": "O0", "I": "I1"}.get(letter, letter) for letter in word]
    return map("".join, product(*choices))


def _of_one_character(plates: Sequence[str]) -> Iterable[str]:
    """Those that may be one character, repeated: first and last are the same."""
    return (plate for plate in plates if plate[:1] == plate[-1:])
