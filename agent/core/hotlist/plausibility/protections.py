"""Doubts a list with which protections (never-release) would end that the one held has: whoever is
protected would be told from then on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.confusion import text_of
from agent.core.hotlist.entry import EPOCH
from agent.core.hotlist.index import day_of
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.plausibility.doubts import Lists

_Protected = tuple[int, str, str]  # key of the text, state, class
_FIX = "ask whoever protects them; if they end"


def unprotected(lists: Lists) -> Iterator[Doubted]:
    """Protections that are gone, end earlier, or hold for one class of vehicles only. A plate is
    protected under any case.
    """
    if lists.held is None:
        return
    before, after = (_protections(one, lists.today) for one in (lists.held, lists.new))
    withdrawn = {
        (text, state) for text, state, name, _, _ in lists.withdrawn if name == NEVER_RELEASE
    }
    gone = [
        ends
        for (key, state, kind), (ends, _) in before.items()
        if after.keys().isdisjoint({(key, state, kind), (key, state, "")})
        and (not withdrawn or (text_of(key), state) not in withdrawn)  # now the agency follows
    ]
    if gone:
        what = (
            f"{len(gone)} protections (never-release) that are held are not in this list; "
            f"the last would have ended on {day_of(max(gone))}"
        )
        yield Doubted(Doubt.UNPROTECT, what, _FIX)
    lines = sorted(
        line for plate, (ends, line) in after.items() if plate in before and ends < before[plate][0]
    )
    if lines:
        what = f"{len(lines)} protections (never-release) end earlier than in the list held"
        yield Doubted(Doubt.UNPROTECT, what, _FIX, tuple(lines))


def _protections(compiled: Compiled, today: date) -> dict[_Protected, tuple[int, int]]:
    """The last day of the longest protection that lasts, and its line."""
    names, columns = compiled.header.names, compiled.columns
    if NEVER_RELEASE not in names["category"]:
        return {}
    number, day = names["category"].index(NEVER_RELEASE), (today - EPOCH).days
    rows = columns.rows
    places = np.flatnonzero((rows["category"] == number) & (rows["expires"] > day))
    found: dict[_Protected, tuple[int, int]] = {}
    for place in map(int, places):
        state, kind = (names[column][rows[column][place]] for column in ("state", "vehicle_class"))
        plate = int(rows["text"][place]), state, kind
        line = 0 if columns.lines is None else int(columns.lines[place])
        found[plate] = max(found.get(plate, (0, 0)), (int(rows["expires"][place]), line))
    return found
