"""Doubts a list that would empty the one held, leave less than half of it, nothing of a part, or
ten times as many: a wrong file, columns one off, a file cut short, or one of two that did not come.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.entry import EPOCH
from agent.core.hotlist.plausibility.doubts import Doubt, Doubted
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from agent.core.hotlist.compiled_format import Compiled
    from agent.core.hotlist.plausibility.doubts import Lists

_MANY = 20  # of an agency or a category; fewer may all be settled
_ENOUGH, _TIMES = 100, 10


def emptied(lists: Lists) -> Iterator[Doubted]:
    """Nothing is left, although there were rows or entries."""
    before, dropped = _before(lists), sum(lists.new.header.dropped.values())
    if lists.new.header.entries == 0 and (before or dropped or lists.new.header.expired):
        yield Doubted(
            Doubt.EMPTY,
            f"nothing is left of this list; {before} entries are held "
            f"(its rows of categories that are not allowed: {dropped}; "
            f"expired: {lists.new.header.expired})",
            "is it the right file, with the right columns? If it is",
        )


def shrunk(lists: Lists) -> Iterator[Doubted]:
    """Less than half is left."""
    before, entries = _before(lists), lists.new.header.entries
    if entries and before > 2 * entries:
        yield Doubted(
            Doubt.SHRINK,
            f"the list shrank from {before} to {entries} entries",
            "was the file cut short? If it is whole",
        )


def part_gone(lists: Lists) -> Iterator[Doubted]:
    """Nothing is left of an agency or a category of which there were many."""
    if lists.held is None or not lists.new.header.entries:
        return
    for column in ("agency", "category"):
        before, after = (_counts(one, column, lists.today) for one in (lists.held, lists.new))
        for name, many in before.items():
            if many >= _MANY and name not in after and name != NEVER_RELEASE:
                yield Doubted(
                    Doubt.SHRINK,
                    f"none of the {many} entries of one {column} that are held is left",
                    "did a part of the list not come? If it ended",
                )


def grown(lists: Lists) -> Iterator[Doubted]:
    """Many times as many as were held."""
    before, entries = _before(lists), lists.new.header.entries
    if before >= _ENOUGH and entries > _TIMES * before:
        yield Doubted(
            Doubt.BULK,
            f"the list grew from {before} to {entries} entries",
            "ask the agency why; if it is right",
        )


def _counts(compiled: Compiled, column: str, today: date) -> dict[str, int]:
    """How many entries that have not expired each name has."""
    rows = compiled.columns.rows
    live = rows[column][rows["expires"] > (today - EPOCH).days]
    return {
        name: many
        for name, many in zip(
            compiled.header.names[column], np.bincount(live).tolist(), strict=False
        )
        if many
    }


def _before(lists: Lists) -> int:
    return lists.held.header.entries if lists.held else 0
