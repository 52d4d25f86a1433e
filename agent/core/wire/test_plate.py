"""The rehearsal's plate: a syntax that no jurisdiction issues, so that one printed sheet can try
the whole line (docs/design/rehearsal.md).

`TEST`, four characters, one check character: nine in all. It needs no entry of a hot list and can
be nothing else than a test: a sighting of it never asks the hot list, and no list can put a vehicle
into its category.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX, FREE = "TEST", 4
ALPHABET = "3479ACEFHJKMNPRTUVWXY"  # none that is taken for another (core.hotlist.confusion)
# each coprime to 21, and so are the differences of neighbours: one character misread, or two
# swapped, is noticed
_WEIGHTS = (1, 2, 4, 5)


def plate_for(free: Sequence[int]) -> str:
    """The test plate with these four numbers, each 0 to 20."""
    characters = "".join(ALPHABET[number] for number in free)
    return PREFIX + characters + _check(characters)


def is_test_plate(text: str) -> bool:
    """Is this text of the reserved syntax, character for character? No look-alike counts."""
    free, check = text[len(PREFIX) : -1], text[-1:]
    if (
        not text.startswith(PREFIX)
        or len(free) != FREE
        or any(character not in ALPHABET for character in free)
    ):
        return False
    return check == _check(free)


def nearly_test_plate(text: str) -> bool:
    """Is it one that was misread? Of its length, which no plate of a jurisdiction has, and with
    three of the first four letters at least.
    """
    alike = sum(one == wanted for one, wanted in zip(text, PREFIX, strict=False))
    return (
        len(text) == len(PREFIX) + FREE + 1 and alike >= len(PREFIX) - 1 and not is_test_plate(text)
    )


def _check(free: str) -> str:
    return ALPHABET[
        sum(
            weight * ALPHABET.index(character)
            for weight, character in zip(_WEIGHTS, free, strict=True)
        )
        % len(ALPHABET)
    ]
