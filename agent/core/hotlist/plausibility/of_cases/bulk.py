"""Doubts many entries at once: of one case, or of one agency, category and day.

A case is about a few vehicles; a day is like others.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.hotlist.columns import run_edges
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted
from agent.core.hotlist.plausibility.of_cases.case_keys import case_keys
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from agent.core.hotlist.columns import Columns
    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.plausibility.doubts import Lists

MOST_OF_A_CASE = 20
MOST_OF_A_DAY = 100  # fewer are never too many
TIMES_A_DAY = 10  # more than so many times the median day, where there are days enough to say
ENOUGH_DAYS = 5
_FIX = "ask the agency why; if it is right"


def bulk_of_a_case(lists: Lists) -> Iterator[Doubted]:
    """Cases with too many entries."""
    if not lists.has_cases:
        return
    columns = _looked_for(lists.new)
    keys = case_keys(columns)
    order = np.argsort(keys, kind="stable")
    edges = run_edges(keys[order])
    for run in np.flatnonzero(np.diff(edges) > MOST_OF_A_CASE):
        places = order[edges[run] : edges[run + 1]]
        what = f"{len(places)} entries of one case; at most {MOST_OF_A_CASE} are usual"
        yield _doubted(columns, places, what)


def bulk_of_a_day(lists: Lists) -> Iterator[Doubted]:
    """Days on which an agency reported far more of a category than on others."""
    columns = _looked_for(lists.new)
    rows = columns.rows
    kinds = (rows["agency"].astype("<u8") << np.uint64(8)) | rows["category"]
    days = (kinds << np.uint64(16)) | rows["source_date"]
    for day in _crowded(days):
        places = np.flatnonzero(days == day)
        what = f"{len(places)} entries of one agency and category were reported on one day"
        yield _doubted(columns, places, what)


def _crowded(days: NDArray[Any]) -> Iterator[int]:
    """The keys of such days: agency, category and, in the last 16 bits, the day."""
    known, counts = np.unique(days, return_counts=True)
    if not len(known) or counts.max() <= MOST_OF_A_DAY:
        return
    edges = run_edges(known >> np.uint64(16))
    for begin, end in pairwise(edges):
        of_kind = counts[begin:end]
        most = (
            TIMES_A_DAY * float(np.median(of_kind))
            if len(of_kind) >= ENOUGH_DAYS
            else of_kind.sum() / 2
        )
        yield from known[begin:end][of_kind > max(most, MOST_OF_A_DAY)]


def _looked_for(compiled: Compiled) -> Columns:
    """Protections may come many at once: a fleet of ambulances."""
    names, columns = compiled.header.names["category"], compiled.columns
    if NEVER_RELEASE not in names:
        return columns
    return columns.take(columns.rows["category"] != names.index(NEVER_RELEASE))


def _doubted(columns: Columns, places: NDArray[Any], what: str) -> Doubted:
    lines = () if columns.lines is None else tuple(sorted(map(int, columns.lines[places])))
    return Doubted(Doubt.BULK, what, _FIX, lines)
