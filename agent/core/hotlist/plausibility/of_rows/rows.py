"""Everything that is doubted of a row before it is taken, in one place: a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.hotlist.entry import bare_texts
from agent.core.hotlist.plausibility.doubts import Allowed, Doubt
from agent.core.hotlist.plausibility.of_rows.issuers import Issuers
from agent.core.hotlist.plausibility.of_rows.no_plate import NoPlateWords
from agent.core.hotlist.plausibility.of_rows.spreadsheet import any_changed, change_of
from agent.core.hotlist.plausibility.of_rows.states import States

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RowDoubts:
    """`issuers`: the data of the city's jurisdiction; `allowed`: what may be, although it is
    doubted. Without data only what a spreadsheet changed is told.
    """

    def __init__(self, issuers: Issuers | None = None, allowed: Allowed = frozenset()) -> None:
        known = issuers or Issuers()
        self._words = NoPlateWords(known if Doubt.NO_PLATE not in allowed else Issuers())
        self._states = States(known, foreign=Doubt.FOREIGN in allowed)

    def any(self, rows: Mapping[str, Sequence[str]]) -> bool:
        """Is something doubted in one of these rows, given by column of FIELDS? Of a block at
        once, because nearly no row is doubted.
        """
        return (
            any_changed(rows["plate"])
            or self._words.any(bare_texts(rows["plate"]))
            or self._states.any(rows["state"])
        )

    def of(self, plate: str, state: str) -> list[str]:
        """What is doubted of one row, as `field: what`, without values."""
        told = (
            change_of(plate) or self._words.doubt(plate),
            self._states.doubt(state),
        )
        return [one for one in told if one]
