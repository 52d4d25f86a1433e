"""Everything that is doubted of a row before it is taken, in one place: a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.entry import bare_texts
from agent.core.hotlist.plausibility.doubts import Allowed, Doubt
from agent.core.hotlist.plausibility.of_rows.issuers import Issuers
from agent.core.hotlist.plausibility.of_rows.no_plate import NoPlateWords
from agent.core.hotlist.plausibility.of_rows.spreadsheet import SpreadsheetTraces
from agent.core.hotlist.plausibility.of_rows.states import States
from agent.core.policy.policy import NEVER_RELEASE
from agent.core.text.suggestion import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_PROTECTING = NEVER_RELEASE.replace("-", "_")  # as nearest() compares
_NEARLY = f"category: nearly {NEVER_RELEASE}, which protects; write it so, or another name"
_MOST_KNOWN = 10_000


class RowDoubts:
    """`issuers`: the data of the city's jurisdiction; `allowed`: what may be, although it is
    doubted. Without data only what a spreadsheet changed is told, and a category that is nearly
    the protecting one.
    """

    def __init__(self, issuers: Issuers | None = None, allowed: Allowed = frozenset()) -> None:
        known = issuers or Issuers()
        self._words = NoPlateWords(known if Doubt.NO_PLATE not in allowed else Issuers())
        self._states = States(known, foreign=Doubt.FOREIGN in allowed)
        self._traces = SpreadsheetTraces(dates=Doubt.DATES in allowed)
        self._categories: dict[str, str] = {}

    def any(self, rows: Mapping[str, Sequence[str]]) -> bool:
        """Is something doubted in one of these rows, given by column of FIELDS? Of a block at
        once, because nearly no row is doubted.
        """
        return (
            self._traces.any(rows["plate"], rows["case"])
            or self._words.any(bare_texts(rows["plate"]))
            or self._states.any(rows["state"])
            or any(map(self.of_category, set(rows["category"])))
        )

    def of(self, plate: str, state: str, case: str) -> list[str]:
        """What is doubted of one row, as `field: what`, without values."""
        told = (
            self._traces.of_plate(plate) or self._words.doubt(plate),
            self._states.doubt(state),
            self._traces.of_case(case),
        )
        return [one for one in told if one]

    def of_category(self, untrusted_category: str) -> str:
        """What is wrong with a category's name, admitted or not: one that is nearly the protecting
        one would be dropped, and nobody protected.
        """
        found = self._categories.get(untrusted_category)
        if found is None:
            name = untrusted_category.strip().lower()
            near = name.startswith("never") or nearest(name, [_PROTECTING]) is not None
            found = _NEARLY if near and untrusted_category != NEVER_RELEASE else ""
            if len(self._categories) < _MOST_KNOWN:
                self._categories[untrusted_category] = found
        return found
