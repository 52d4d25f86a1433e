"""A word that is nearly another: what somebody who mistyped a name probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

NEAR = 0.7  # difflib's ratio: one slip in a short name still counts, another word does not
MOST_CHARACTERS = 64  # no name of ours is longer, and comparing long words takes long


def nearest(untrusted_word: str, names: Iterable[str], near: float = NEAR) -> str | None:
    """The name that is near to a word; None where none is. `near`: difflib's ratio, 0 to 1."""
    if len(untrusted_word) > MOST_CHARACTERS:
        return None
    from difflib import get_close_matches

    word = untrusted_word.lower().replace("-", "_")
    return next(iter(get_close_matches(word, list(names), 1, near)), None)
