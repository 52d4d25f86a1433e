"""Doubts a list that was made before the one held: yesterday's file, taken again, brings back cars
that were found since.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.plausibility.doubts import Doubt, Doubted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.hotlist.plausibility.doubts import Lists

_ENOUGH = 100  # entries; the newest report of a short list is soon settled
_DAYS = 2


def older(lists: Lists) -> Iterator[Doubted]:
    """Made earlier than the one held."""
    if lists.held and lists.new.header.made < lists.held.header.made:
        new, held = lists.new.header.as_of, lists.held.header.as_of
        yield Doubted(
            Doubt.OLDER,
            f"made {new}, before the list that is held ({held})",
            "is it the newest file? If it is",
        )


def older_reports(lists: Lists) -> Iterator[Doubted]:
    """Its newest report is days older than the newest held: a copy has a new file's date."""
    if not lists.held or min(len(lists.new.columns), len(lists.held.columns)) < _ENOUGH:
        return
    newest, before = (int(one.columns.rows["source_date"].max()) for one in (lists.new, lists.held))
    if before - newest >= _DAYS:
        yield Doubted(
            Doubt.OLDER,
            f"its newest report is {before - newest} days older than the newest that is held",
            "is it the newest file? If it is",
        )
