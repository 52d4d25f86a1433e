"""Doubts twins: two plates of one case that differ only in characters that are taken for one
another, as if nobody knew which one it is. One of them is a stranger's.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.columns import run_edges
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted
from agent.core.hotlist.plausibility.of_cases.case_keys import case_keys, mixed
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.plausibility.doubts import Lists


def twins(lists: Lists) -> Iterator[Doubted]:
    """Lines of look-alikes with the same state, agency and case. A protection may have them: it
    protects look-alikes anyway.
    """
    columns = lists.new.columns
    if not lists.has_cases:
        return
    for places in _groups(lists.new):
        texts = columns.rows["text"][places]
        if len(set(map(int, texts))) > 1 and columns.lines is not None:
            yield Doubted(
                Doubt.TWINS,
                "look-alikes of one case (O and 0, I and 1 …)",
                "ask which one it is; if both are wanted",
                tuple(sorted(map(int, columns.lines[places]))),
            )


def _groups(compiled: Compiled) -> Iterator[list[int]]:
    """Places of entries that agree in folded text, state, agency and case."""
    rows, names = compiled.columns.rows, compiled.header.names["category"]
    # Only runs of equal slots with different texts: the rows are sorted by both.
    alike = (rows["slot"][1:] == rows["slot"][:-1]) & (rows["text"][1:] != rows["text"][:-1])
    if not alike.any():
        return
    runs = np.cumsum(np.concatenate(([False], rows["slot"][1:] != rows["slot"][:-1])))
    places = np.flatnonzero(np.isin(runs, runs[1:][alike]))
    protecting = names.index(NEVER_RELEASE) if NEVER_RELEASE in names else -1
    places = places[rows["category"][places] != protecting]
    keys = mixed(
        mixed(case_keys(compiled.columns.take(places)), rows["state"][places]),
        rows["slot"][places],
    )
    order = np.argsort(keys, kind="stable")
    edges = run_edges(keys[order])
    for begin, end in pairwise(edges):
        if end - begin > 1:
            yield from _exactly(compiled, [int(places[one]) for one in order[begin:end]])


def _exactly(compiled: Compiled, places: list[int]) -> Iterator[list[int]]:
    """Again by value: keys of different cases could be equal by chance."""
    rows, found = compiled.columns.rows, defaultdict(list)
    for place in places:
        agency, state = int(rows["agency"][place]), int(rows["state"][place])
        found[agency, state, int(rows["slot"][place]), compiled.columns.case(place)].append(place)
    yield from (group for group in found.values() if len(group) > 1)
