"""The hot list in memory: which entries look like a text that was read, in constant time, millions
of entries in some fifty bytes each.

Only the camera's own process, and `platewarden hotlist`, import this module (P2).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.core.hotlist.columns import NAMED, PACKED_ROW, ROW, WORD, bucket_bits, bucket_starts
from agent.core.hotlist.confusion import fold_key, text_key, text_of
from agent.core.hotlist.entry import EPOCH, Entry
from agent.core.hotlist.filter import Filter
from agent.core.hotlist.lead_odds import base_rate_of, densities
from agent.core.policy.policy import NEVER_RELEASE, TEST, HotlistLimits
from agent.core.reading.plate_text import PlateText
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from agent.core.hotlist.columns import Columns
    from agent.core.hotlist.compiled_format import Compiled

MAX_AGE = timedelta(hours=HotlistLimits().max_age_hours)
"""Of a list where no policy says otherwise.

An older one may still name cars that were found long ago, and raises nothing (P10).
"""

EPOCH_DAY = EPOCH.toordinal()
EntryKey = tuple[str, str, str, str, str]
# An entry's numbers as in columns.PACKED_ROW; the first is the key of its text.
Row = tuple[int, ...]
_unpack, _ROW_BYTES = PACKED_ROW.unpack_from, ROW.itemsize


@cache
def day_of(number: int) -> date:
    """The date so many days after 1970; there are some thousands of them."""
    return date.fromordinal(EPOCH_DAY + number)


def entry_key(entry: Entry) -> EntryKey:
    """What a withdrawal names: plate, state, category, agency and case.

    A new case about the same car is another entry.
    """
    return entry.plate.value, entry.state, entry.category, entry.agency, entry.case


class Index:
    """The entries of one compiled list, by their folded text.

    Nothing is taken out of its rows until it is asked for.
    """

    def __init__(
        self, columns: Columns, names: Mapping[str, Sequence[str]], multiplier: int
    ) -> None:
        self._columns, self._multiplier = columns, multiplier
        bits = bucket_bits(len(columns))
        self._shift = 64 - bits
        # As memoryviews: reading one number out of them takes a fraction of the time that numpy
        # takes.
        self._starts = bucket_starts(columns.rows["slot"], bits).data
        self._slots = columns.rows["slot"].data
        self._rows, self._cases = columns.rows.view(np.uint8).data, columns.cases.data
        self.states, self.categories, self._agencies, self.classes = (names[name] for name in NAMED)
        self._hidden: frozenset[Row] = frozenset()

    def __len__(self) -> int:
        return len(self._columns)

    @property
    def text_column(self) -> NDArray[Any]:
        """The keys of all texts."""
        return self._columns.rows["text"]

    def near(self, folded: int) -> list[Row]:
        """The entries whose text has this fold_key; few, mostly none.

        All in one function: it runs for every vehicle that passes.
        """
        slot = (folded * self._multiplier) & WORD  # slot_of
        bucket = slot >> self._shift
        slots = self._slots
        found = []
        for place in range(self._starts[bucket], self._starts[bucket + 1]):
            if slots[place] == slot:
                # In Python 3.11 a comprehension is a call, and costs more.
                found.append(_unpack(self._rows, place * _ROW_BYTES))  # noqa: PERF401
        return (
            [row for row in found if row not in self._hidden] if found and self._hidden else found
        )

    def row(self, place: int) -> Row:
        """The entry at a place of the columns."""
        return _unpack(self._rows, place * _ROW_BYTES)

    def hide(self, entries: Iterable[EntryKey]) -> None:
        """Find these no more. They still count as entries."""
        wanted = set(entries)
        near = [
            row for folded in {fold_key(text) for text, *_ in wanted} for row in self.near(folded)
        ]
        self._hidden |= {row for row in near if entry_key(self.entry(row)) in wanted}

    def told(self, row: Row) -> tuple[str, str, str, date]:
        """What whoever gets the lead is told of an entry: category, agency, case, date of the
        report.
        """
        _, case_at, _, agency, source_date, _, category, _, case_length = row
        case = str(self._cases[case_at : case_at + case_length], "ascii")
        return self.categories[category], self._agencies[agency], case, day_of(source_date)

    def entry(self, row: Row) -> Entry:
        """One entry, whole."""
        text, _, state, _, _, expires, _, vehicle_class, _ = row
        category, agency, case, source_date = self.told(row)
        return Entry(
            PlateText(text_of(text)),
            self.states[state],
            category,
            agency,
            case,
            source_date,
            day_of(expires),
            self.classes[vehicle_class],
        )

    def by_category(self, today: date) -> dict[str, int]:
        """How many entries of each category can match on the day `today`: not expired, not
        hidden.
        """
        day = (today - EPOCH).days
        counts = np.bincount(
            self._columns.rows["category"][self._columns.rows["expires"] > day],
            minlength=len(self.categories),
        )
        for _, _, _, _, _, expires, category, _, _ in self._hidden:
            counts[category] -= expires > day
        return {
            name: int(count) for name, count in zip(self.categories, counts, strict=True) if count
        }


Found = tuple[Index, Row]


@dataclass(frozen=True, slots=True)
class HotList:
    """The list that a camera looks for: the imported one, and what was added and withdrawn by hand.

    `as_of`: when the imported list was made; before `not_before` and from `stale_after` on it
    raises nothing. `digest`: hex SHA-256 over the imported list and the manual one. `densities`,
    `base_rate`: for lead_odds. `dropped`: rows turned away, by category. `expired`: rows that were
    past their date when the list was made, and are not kept. `identical`, `contradicting`: rows
    that repeated another one, with the same dates and with other ones. `filter`: over all indexes.
    `left_out`: additions by hand that the charter does not permit as they are. `doubted_lines`: of
    a plain list, the rows that are not what they seem, and are left out.
    """

    indexes: tuple[Index, ...]
    filter: Filter
    as_of: datetime
    not_before: datetime
    stale_after: datetime
    digest: str
    densities: Mapping[bytes, float]
    base_rate: float
    dropped: Mapping[str, int]
    expired: int = 0
    identical: int = 0
    contradicting: int = 0
    left_out: int = 0
    doubted_lines: tuple[int, ...] = ()

    def __len__(self) -> int:
        return sum(map(len, self.indexes))

    def __repr__(self) -> str:
        return f"<hot list of {len(self)} entries>"

    def stale(self, at: datetime) -> bool:
        """Is the list too old at `at` (UTC)?

        Or made a day later than that: then one of the two times is wrong.
        """
        return not self.not_before <= at < self.stale_after

    def near(self, text: str) -> list[Found]:
        """The entries of this text, and of all that can be taken for it, as numbers."""
        folded = fold_key(text)
        found = []
        for index in self.indexes:
            for row in index.near(folded):
                found.append((index, row))  # noqa: PERF401 - as above
        return found

    def same(self, text: str) -> list[Found]:
        """The entries of exactly this text, as numbers."""
        key = text_key(text)
        return [(index, row) for index, row in self.near(text) if row[0] == key]

    def alike(self, text: str) -> list[Entry]:
        """The entries of this text, and of all that can be taken for it."""
        return [index.entry(row) for index, row in self.near(text)]

    def texts(self, text: str) -> list[Entry]:
        """The entries of exactly this text."""
        return [index.entry(row) for index, row in self.same(text)]

    def by_category(self, today: date) -> dict[str, int]:
        """How many entries of each category can match on the day `today`: neither expired nor
        withdrawn.
        """
        counts: dict[str, int] = {}
        for index in self.indexes:
            for name, count in index.by_category(today).items():
                counts[name] = counts.get(name, 0) + count
        return dict(sorted(counts.items()))


def hotlist_of(
    compiled: Compiled,
    allowed: Iterable[str] | None,
    *,
    max_age: timedelta = MAX_AGE,
    manual: Compiled | None = None,
    withdrawn: frozenset[EntryKey] = frozenset(),
    manual_digest: str = "",
    left_out: int = 0,
) -> HotList:
    """The list in force.

    `allowed`: the categories that any rule of the policy names, None for all; entries of others are
    forgotten and counted here.
    """
    header = compiled.header
    parts = [_restricted(compiled, allowed), *([_restricted(manual, allowed)] if manual else [])]
    dropped = dict(header.dropped)
    for _, gone in parts:
        for name, count in gone.items():
            dropped[name] = dropped.get(name, 0) + count
    digest = (
        hashlib.sha256(f"{compiled.digest} {manual_digest}".encode()).hexdigest()
        if manual_digest
        else compiled.digest
    )
    indexes = tuple(index for index, _ in parts if len(index))
    for index in indexes:
        index.hide(withdrawn)
    fast = Filter(index.text_column for index in indexes)
    shapes = Counter(header.shapes) + Counter(manual.header.shapes if manual else {})
    odds = densities(shapes), base_rate_of(sum(map(len, indexes)))
    numbers = header.expired, header.identical, header.contradicting
    made = header.made
    return HotList(
        indexes,
        fast,
        made,
        made - timedelta(days=1),
        made + max_age,
        digest,
        *odds,
        dict(sorted(dropped.items())),
        *numbers,
        left_out,
    )


def _restricted(compiled: Compiled, allowed: Iterable[str] | None) -> tuple[Index, dict[str, int]]:
    """The index of the allowed categories, and how many entries of each other one were left out.

    What is left out is not kept in memory.
    """
    header, columns = compiled.header, compiled.columns
    names = header.names["category"]
    wanted = (set(names) if allowed is None else {NEVER_RELEASE, *allowed}) - {TEST}
    counts = np.bincount(columns.rows["category"], minlength=len(names))
    gone = {
        name: int(count)
        for name, count in zip(names, counts, strict=True)
        if count and name not in wanted
    }
    if gone:
        keep = np.isin(
            columns.rows["category"],
            [number for number, name in enumerate(names) if name in wanted],
        )
        columns = columns.take(keep).compact()  # no view of the file's bytes is left
    return Index(columns, header.names, header.multiplier), gone
