"""Takes rows one by one, checks them, and keeps them as columns: a hot list of millions fits in a
fraction of what objects would need.
"""

from __future__ import annotations

from array import array
from itertools import accumulate, compress
from typing import TYPE_CHECKING

import numpy as np

from agent.core.hotlist.columns import (
    MAX_ALIKE,
    ROW,
    WIDTHS,
    Columns,
    canonical,
    in_order,
    longest_run,
    slots_of,
    without_repeats,
)
from agent.core.hotlist.confusion import fold_key, fold_keys, text_key
from agent.core.hotlist.entry import (
    EPOCH,
    FIELDS,
    MAX_DAYS,
    PATTERNS,
    date_of,
    faults_of,
    plate_of,
    plates_of,
)
from agent.core.hotlist.intake.lines import lines_told
from agent.core.policy.policy import NEVER_RELEASE

if TYPE_CHECKING:
    import re
    from collections.abc import Mapping, Sequence
    from datetime import date

    from agent.core.hotlist.categories import AllowList

MAX_ENTRIES = 4_000_000
# How many different ones a list may hold.
MAX_NAMES = {"state": 2_000, "agency": 60_000, "class": 200, "category": 200}
_DROPPED = -1
_case = PATTERNS["case"][0].fullmatch


class _Names(dict[str, int]):
    """Numbers for names that fit a pattern; KeyError for others, or when there are too many."""

    def __init__(self, pattern: re.Pattern[str], most: int) -> None:
        super().__init__()
        self._pattern, self._most = pattern, most

    def __missing__(self, name: str) -> int:
        if not self._pattern.fullmatch(name) or len(self) >= self._most:
            raise KeyError
        return self.setdefault(name, len(self))


class _Days(dict[tuple[str, str], tuple[int, int]]):
    """Days since 1970 for pairs of dates that are right together; KeyError for others."""

    def __init__(self, today: date) -> None:
        super().__init__()
        self._today = today

    def __missing__(self, pair: tuple[str, str]) -> tuple[int, int]:
        source_date, expires = map(date_of, pair)
        row = dict.fromkeys(FIELDS, "") | {"source_date": pair[0], "expires": pair[1]}
        if (
            source_date is None
            or expires is None
            or any(
                fault.startswith(("source_date", "expires"))
                for fault in faults_of(row, self._today)
            )
        ):
            raise KeyError
        return self.setdefault(
            pair, ((source_date - EPOCH).days, min((expires - EPOCH).days, MAX_DAYS))
        )


class ListBuilder:
    """Collects the entries of one list.

    `today` (UTC): rows that expired by then are counted by `columns` and not kept.
    """

    def __init__(self, today: date, allow: AllowList) -> None:
        self.allow, self.expired, self.identical, self.contradicting = allow, 0, 0, 0
        self._today, self._today_days = today, (today - EPOCH).days
        self._categories = _Names(PATTERNS["category"][0], MAX_NAMES["category"])
        self._states, self._agencies, self._classes = (
            _Names(PATTERNS[name][0], MAX_NAMES[name]) for name in ("state", "agency", "class")
        )
        self._days = _Days(today)
        self._columns = {
            name: array({"8": "Q", "4": "I", "2": "H", "1": "B"}[width[-1]])
            for name, width in WIDTHS.items()
            if name != "spare"
        }
        self._lines = array("I")
        self._append = [column.append for column in self._columns.values()]
        self._cases = bytearray()

    def __len__(self) -> int:
        return len(self._columns["text"])

    @property
    def names(self) -> dict[str, list[str]]:
        """The names behind the numbers in the columns."""
        tables = {
            "state": self._states,
            "category": self._categories,
            "agency": self._agencies,
            "vehicle_class": self._classes,
        }
        return {column: list(table) for column, table in tables.items()}

    def add(
        self,
        plate: str,
        state: str,
        category: str,
        agency: str,
        case: str,
        source_date: str,
        expires: str,
        vehicle_class: str = "",
        *,
        line: int = 0,
    ) -> Sequence[str]:
        """Keep one row, or count it as dropped. `line`: of its file.

        Returns what is wrong with it, as `field: what`, without values; empty when nothing is.

        A category that is not allowed ends here: nothing else of the row is looked at.
        """
        if not self.allow.admits(category) and PATTERNS["category"][0].fullmatch(category):
            self.allow.drop(category)
            return ()
        try:
            category_id, state_id = self._categories[category], self._states[state]
            agency_id, class_id = self._agencies[agency], self._classes[vehicle_class]
            reported, ends = self._days[source_date, expires]
        except KeyError:
            return self._faults(
                plate, state, category, agency, case, source_date, expires, vehicle_class
            )
        text = plate_of(plate)
        if not text or not _case(case) or len(self) >= MAX_ENTRIES:
            return self._faults(
                plate, state, category, agency, case, source_date, expires, vehicle_class
            )
        values = (
            fold_key(text),
            text_key(text),
            len(self._cases),
            state_id,
            agency_id,
            reported,
            ends,
            category_id,
            class_id,
            len(case),
        )
        for append, value in zip(self._append, values, strict=True):
            append(value)
        self._cases += case.encode("ascii")
        self._lines.append(line)
        return ()

    def add_many(self, rows: Mapping[str, Sequence[str]], first_line: int = 0) -> bool:
        """The same for many rows at once, one a line, given by column of FIELDS; several times as
        quick.

        False: some row is not plainly right; none was kept or counted.
        """
        categories = rows["category"]
        turned_away = {name for name in set(categories) if not self.allow.admits(name)}
        if not all(map(PATTERNS["category"][0].fullmatch, turned_away)):
            return False
        kept, lines = rows, array("I", range(first_line, first_line + len(categories)))
        if turned_away:
            admitted = [name not in turned_away for name in categories]
            kept = {name: list(compress(column, admitted)) for name, column in rows.items()}
            lines = array("I", compress(lines, admitted))
        if kept["plate"] and not self._keep_many(kept, lines):
            return False
        for name in turned_away:
            self.allow.drop(name, categories.count(name))
        return True

    def _keep_many(self, rows: Mapping[str, Sequence[str]], lines: array[int]) -> bool:
        """Keep rows of admitted categories, at least one; False, and nothing done, where one is not
        plainly right.
        """
        plates, cases = plates_of(rows["plate"]), rows["case"]
        if plates is None or len(self) + len(plates) > MAX_ENTRIES or not all(map(_case, cases)):
            return False
        try:
            days = list(
                map(self._days.__getitem__, zip(rows["source_date"], rows["expires"], strict=True))
            )
            tables = {
                "state": self._states,
                "agency": self._agencies,
                "category": self._categories,
                "class": self._classes,
            }
            ids = {name: list(map(table.__getitem__, rows[name])) for name, table in tables.items()}
        except KeyError:
            return False
        self._extend(plates, cases, days, ids)
        self._lines.extend(lines)
        return True

    def _extend(
        self,
        plates: Sequence[str],
        cases: Sequence[str],
        days: Sequence[tuple[int, int]],
        ids: Mapping[str, Sequence[int]],
    ) -> None:
        """Append checked values to all columns."""
        lengths = list(map(len, cases))
        starts = list(accumulate(lengths, initial=len(self._cases)))[:-1]
        reported, ends = zip(*days, strict=True)
        values: tuple[Sequence[int], ...] = (
            fold_keys(plates),
            list(map(text_key, plates)),
            starts,
            ids["state"],
            ids["agency"],
            reported,
            ends,
        )
        for column, numbers in zip(
            self._columns.values(), (*values, ids["category"], ids["class"], lengths), strict=True
        ):
            column.extend(array(column.typecode, numbers))
        self._cases += "".join(cases).encode("ascii")

    def faults(self, *row: str) -> Sequence[str]:
        """What is wrong with a row's fields, in the order of FIELDS, without values."""
        return faults_of(dict(zip(FIELDS, row, strict=True)), self._today)

    def _faults(self, *row: str) -> Sequence[str]:
        most = ", ".join(
            f"{number} different values of {name}" for name, number in MAX_NAMES.items()
        )
        return self.faults(*row) or [
            f"the list is too large: at most {MAX_ENTRIES} entries, {most}"
        ]

    def columns(self, multiplier: int) -> Columns:
        """What was kept, sorted, each entry once.

        Raises ValueError naming their lines where too many look alike; `expired`, `identical` and
        `contradicting` are set.
        """
        rows = np.zeros(len(self), ROW)
        for name, column in self._columns.items():
            rows[name] = column
        # Until now the column kept the folded text's key.
        rows["slot"] = slots_of(rows["slot"], multiplier)
        protecting = self._categories.get(NEVER_RELEASE, _DROPPED)
        cases = np.frombuffer(self._cases, "<u1") if self._cases else np.zeros(0, "<u1")
        kept, self.identical, self.contradicting = without_repeats(
            in_order(Columns(rows, cases, np.array(self._lines, "<u4"))),
            lambda category: category == protecting,
        )
        # Only now, because a row that has expired may be the newer word on the same case.
        live = kept.rows["expires"] > self._today_days
        if not live.all():
            self.expired, kept = len(kept) - int(live.sum()), kept.take(live)
        _require_unlike(kept)
        return canonical(kept)


def _require_unlike(kept: Columns) -> None:
    run = longest_run(kept.rows["slot"])
    most = run.stop - run.start
    if most <= MAX_ALIKE:
        return
    lines = [] if kept.lines is None else sorted(int(line) for line in kept.lines[run])
    msg = (
        f"{most} entries look like one another, in lines {lines_told(lines)}; "
        f"at most {MAX_ALIKE} may, or one sighting would take too long to match"
    )
    raise ValueError(msg)
