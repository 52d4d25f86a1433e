"""Doubts entries of a plate that was withdrawn by hand, under another identity: a car that was
found would be looked for again.

An entry of the same identity stays withdrawn, whatever lists say, and needs no question.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.confusion import text_key
from agent.core.hotlist.index import Index, entry_key
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.plausibility.doubts import Lists


def returned(lists: Lists) -> Iterator[Doubted]:
    """Lines of such entries."""
    if not lists.withdrawn:
        return
    columns, header = lists.new.columns, lists.new.header
    gone = {(text, state) for text, state, *_ in lists.withdrawn}
    keys = np.array(sorted({text_key(text) for text, _ in gone}), "<u8")
    index = Index(columns, header.names, header.multiplier)
    lines = []
    for place in map(int, np.flatnonzero(np.isin(columns.rows["text"], keys))):
        entry = index.entry(index.row(place))
        known = entry_key(entry) in lists.withdrawn
        if (entry.plate.value, entry.state) in gone and not known and columns.lines is not None:
            lines.append(int(columns.lines[place]))
    if lines:
        yield Doubted(
            Doubt.RETURNED,
            "a plate that was withdrawn by hand comes back under another case",
            "ask the agency whether it is wanted again; if it is",
            tuple(sorted(lines)),
        )
