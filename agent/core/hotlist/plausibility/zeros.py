"""Doubts plates that had leading noughts in the list held and have none in the new one: a
spreadsheet took them for numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.confusion import BASE, text_key, texts_of
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted
from agent.core.reading.plate_text import MAX_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from numpy.typing import NDArray

    from agent.core.hotlist.plausibility.doubts import Lists


def lost_zeros(lists: Lists) -> Iterator[Doubted]:
    """Lines whose plate is one held, but for its first noughts."""
    if lists.held is None:
        return
    held, new = lists.held.columns.rows["text"], lists.new.columns.rows["text"]
    begun = np.unique(held[_begins_with_nought(held)])
    gone = np.setdiff1d(begun, new[_among(new, begun)])
    bare = {text_key(text.lstrip("0")) for text in texts_of(gone) if text.strip("0").isdigit()}
    wanted = np.array(sorted(bare), "<u8")
    wanted = np.setdiff1d(wanted, held[_among(held, wanted)])
    came = _among(new, wanted)
    if came.any() and lists.new.columns.lines is not None:
        lines = tuple(sorted(map(int, lists.new.columns.lines[came])))
        yield Doubted(
            Doubt.LOST_ZEROS,
            "plate: held with noughts in front, here without",
            "export the list again with this column as text; if they are other plates",
            lines,
        )


def _begins_with_nought(keys: NDArray[Any]) -> NDArray[Any]:
    """A key is a one, then the characters to base 36 (confusion.text_key)."""
    found = np.zeros(len(keys), bool)
    for length in range(1, MAX_LENGTH + 1):
        first = BASE**length
        found |= (keys >= first) & (keys < first + BASE ** (length - 1))
    return found


def _among(keys: NDArray[Any], ordered: NDArray[Any]) -> NDArray[Any]:
    """Which keys are among a few; np.isin would sort the millions."""
    if not len(ordered):
        return np.zeros(len(keys), bool)
    places = np.searchsorted(ordered, keys)
    return np.asarray(ordered[np.minimum(places, len(ordered) - 1)] == keys)
