"""Doubts entries of a plate that was withdrawn by hand, under another identity: a car that was
found would be looked for again. So would it as a look-alike of the same case.

An entry of the same identity stays withdrawn, whatever lists say, and needs no question.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.columns import slots_of
from agent.core.hotlist.confusion import fold_key
from agent.core.hotlist.index import Index, entry_key
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.index import EntryKey
    from agent.core.hotlist.plausibility.doubts import Lists


def returned(lists: Lists) -> Iterator[Doubted]:
    """Lines of such entries."""
    if not lists.withdrawn:
        return
    columns, header = lists.new.columns, lists.new.header
    gone = defaultdict(list)
    for key in lists.withdrawn:
        gone[fold_key(key[0])].append(key)
    slots = slots_of(np.array(sorted(gone), "<u8"), header.multiplier)
    index = Index(columns, header.names, header.multiplier)
    lines = []
    for place in map(int, np.flatnonzero(np.isin(columns.rows["slot"], slots))):
        entry = entry_key(index.entry(index.row(place)))
        back = entry not in lists.withdrawn and any(
            _is_back(entry, key) for key in gone[fold_key(entry[0])]
        )
        if back and columns.lines is not None:
            lines.append(int(columns.lines[place]))
    if lines:
        yield Doubted(
            Doubt.RETURNED,
            "a plate that was withdrawn by hand comes back under another case, state or look-alike",
            "ask the agency whether it is wanted again; if it is",
            tuple(sorted(lines)),
        )


def _is_back(entry: EntryKey, gone: EntryKey) -> bool:
    """Is it the same car? A look-alike is only under the same case, where it corrects the other."""
    text, state, _, *case = entry
    was, where, _, *under = gone
    near = state == where or where.startswith(f"{state}-") or state.startswith(f"{where}-")
    return near and (text == was or case == under)
