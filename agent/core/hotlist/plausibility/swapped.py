"""Doubts a list in which two columns of free text were exchanged: agency and case, or plate and
case. Each value is right in the other's place, so no row tells.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.confusion import texts_of
from agent.core.hotlist.entry import plate_of
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.columns import Columns
    from agent.core.hotlist.plausibility.doubts import Lists

_ENOUGH, _LOOKED_AT = 20, 1_000  # entries
_TIMES = 3  # an agency has many cases, and a case has one agency
_MOST_OF = 0.95


def swapped(lists: Lists) -> Iterator[Doubted]:
    """The columns, without values."""
    columns = lists.new.columns
    if not lists.has_cases or len(columns) < _ENOUGH:
        return
    fix = "compare its header with its rows; if they are right"
    agencies = len(np.unique(columns.rows["agency"]))
    cases = len({columns.case(at) for at in _some(columns)})
    looked_at = min(len(columns), _LOOKED_AT)
    if agencies > looked_at / 2 and agencies > _TIMES * cases:
        yield Doubted(Doubt.COLUMNS, "more agencies than cases: are the two exchanged?", fix)
    if _plates_among_cases(columns):
        yield Doubted(
            Doubt.COLUMNS,
            "plates are numbers, and cases look like plates: are the two exchanged?",
            fix,
        )


def _some(columns: Columns) -> list[int]:
    """Places, spread over the list: it is sorted by plate."""
    return list(range(0, len(columns), max(1, len(columns) // _LOOKED_AT)))[:_LOOKED_AT]


def _plates_among_cases(columns: Columns) -> bool:
    places = _some(columns)
    numbers = sum(map(str.isdigit, texts_of(columns.rows["text"][places])))
    if numbers < _MOST_OF * len(places):
        return False
    cases = [plate_of(columns.case(at).decode("ascii")) for at in places]
    plates = sum(5 <= len(one) <= 8 and not one.isdigit() and not one.isalpha() for one in cases)
    return plates >= _MOST_OF * len(places)
