"""The rehearsal's plate: a syntax that no jurisdiction issues, so that one printed sheet can try the whole line (docs/design/rehearsal.md).

`TEST`, four characters, one check character: nine in all. It needs no entry of a hot list and can be nothing else than a test: a sighting of it never
asks the hot list, and no list can put a vehicle into its category.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy import TEST, Match, MatchLevel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.core.sighting import Sighting

PREFIX, FREE = "TEST", 4
ALPHABET = "3479ACEFHJKMNPRTUVWXY"  # none that is taken for another (core.confusion)
_WEIGHTS = (1, 2, 4, 5)  # each coprime to 21, and so are the differences of neighbours: one character misread, or two swapped, is noticed
AGENCY, CASE = "platewarden rehearsal", "none: a printed test plate"


def plate_for(free: Sequence[int]) -> str:
    """The test plate with these four numbers, each 0 to 20."""
    characters = "".join(ALPHABET[number] for number in free)
    return PREFIX + characters + _check(characters)


def is_test_plate(text: str) -> bool:
    """Is this text of the reserved syntax, character for character? No look-alike counts."""
    free, check = text[len(PREFIX) : -1], text[-1:]
    if not text.startswith(PREFIX) or len(free) != FREE or any(character not in ALPHABET for character in free):
        return False
    return check == _check(free)


def rehearsal(sighting: Sighting) -> Match | None:
    """What a sighting of a test plate matches: category `test`, level `text`, and nothing beside it. None for every other plate."""
    if not is_test_plate(sighting.text.value):
        return None
    return Match(TEST, MatchLevel.TEXT, AGENCY, CASE, sighting.captured.utc.date())


def _check(free: str) -> str:
    return ALPHABET[sum(weight * ALPHABET.index(character) for weight, character in zip(_WEIGHTS, free, strict=True)) % len(ALPHABET)]
