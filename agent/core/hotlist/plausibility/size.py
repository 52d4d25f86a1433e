"""Doubts a list that would empty the one held, or leave less than half of it: a wrong file, columns
one off, or a file cut short.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.plausibility.doubts import Doubt, Doubted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.plausibility.doubts import Lists


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


def _before(lists: Lists) -> int:
    return lists.held.header.entries if lists.held else 0
