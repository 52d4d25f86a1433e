"""The hot list in memory: which entries look like a text that was read, in constant time, millions of entries in some fifty bytes each.

Only the camera's own process, and `platewarden hotlist`, import this module (P2).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from agent.core.confusion import fold_key, fold_keys, text_key, text_of
from agent.core.hotlist_columns import WORD, bucket_bits, bucket_starts
from agent.core.hotlist_entry import EPOCH, Entry
from agent.core.plate_text import PlateText
from agent.core.policy import NEVER_RELEASE, HotlistLimits

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime

    from agent.core.hotlist_columns import Columns
    from agent.core.hotlist_format import Compiled

MAX_AGE = timedelta(hours=HotlistLimits().max_age_hours)
"""Of a list where no policy says otherwise. An older one may still name cars that were found long ago, and raises nothing (P10)."""

EntryKey = tuple[str, str, str, str, str]


def entry_key(entry: Entry) -> EntryKey:
    """What a withdrawal names: plate, state, category, agency and case. A new case about the same car is another entry."""
    return entry.plate.value, entry.state, entry.category, entry.agency, entry.case


class Index:
    """The entries of one compiled list, by their folded text. Nothing is copied out of the columns until an entry is asked for."""

    def __init__(self, columns: Columns, names: Mapping[str, Sequence[str]], multiplier: int) -> None:
        self._columns, self._names, self._multiplier = columns, names, multiplier
        bits = bucket_bits(len(columns))
        self._shift = 64 - bits
        # memoryviews: reading one number out of them takes a fraction of the time that numpy takes
        self._starts = bucket_starts(columns.of["slot"], bits).data
        self._slots, self._texts = columns.of["slot"].data, columns.of["text"].data

    def __len__(self) -> int:
        return len(self._columns)

    def places(self, folded: int) -> Sequence[int]:
        """Where the entries lie whose text has this fold_key; few, mostly none."""
        slot = (folded * self._multiplier) & WORD  # slot_of, without the call: this runs for every reading of every plate
        bucket = slot >> self._shift
        first, end = self._starts[bucket], self._starts[bucket + 1]
        if first == end:
            return ()
        slots = self._slots
        return [place for place in range(first, end) if slots[place] == slot]

    def any_of(self, folded: Iterable[int]) -> bool:
        """Is any of these fold_keys there? The question for nearly every vehicle, so without a call or a list for each."""
        starts, slots, multiplier, shift = self._starts, self._slots, self._multiplier, self._shift
        for key in folded:
            slot = (key * multiplier) & WORD
            bucket = slot >> shift
            place, end = starts[bucket], starts[bucket + 1]
            while place < end:
                if slots[place] == slot:
                    return True
                place += 1
        return False

    def text_key_at(self, place: int) -> int:
        """The key of an entry's text."""
        return self._texts[place]

    def entry(self, place: int) -> Entry:
        """One entry, with its names."""
        of, names = self._columns.of, self._names
        return Entry(
            plate=PlateText(text_of(int(of["text"][place]))),
            state=names["state"][of["state"][place]],
            category=names["category"][of["category"][place]],
            agency=names["agency"][of["agency"][place]],
            case=self._columns.case(place).decode("ascii"),
            source_date=EPOCH + timedelta(days=int(of["source_date"][place])),
            expires=EPOCH + timedelta(days=int(of["expires"][place])),
            vehicle_class=names["vehicle_class"][of["vehicle_class"][place]],
        )

    def by_category(self, today: date) -> dict[str, int]:
        """How many entries of each category have not expired by `today`."""
        live = self._columns.of["category"][self._columns.of["expires"] > (today - EPOCH).days]
        counts = np.bincount(live, minlength=len(self._names["category"]))
        return {name: int(count) for name, count in zip(self._names["category"], counts, strict=True) if count}


@dataclass(frozen=True, slots=True)
class HotList:
    """The list that a camera looks for: the imported one, and what was added and withdrawn by hand.

    `as_of`: when the imported list was made; before `not_before` and from `stale_after` on it raises nothing. `withdrawn`: entries that were recovered or taken back.
    `digest`: hex SHA-256 over the imported list and the manual one. `shapes`: different texts by shape, for the odds of a chance hit.
    `dropped`: rows turned away, by category. `expired`: rows that were past their date when the list was made, and are not kept. `identical`,
    `contradicting`: rows that repeated another one, with the same dates and with other ones.
    """

    indexes: tuple[Index, ...]
    as_of: datetime
    not_before: datetime
    stale_after: datetime
    digest: str
    shapes: Mapping[str, int]
    dropped: Mapping[str, int]
    expired: int = 0
    identical: int = 0
    contradicting: int = 0
    withdrawn: frozenset[EntryKey] = frozenset()

    def __len__(self) -> int:
        return sum(map(len, self.indexes))

    def __repr__(self) -> str:
        return f"<hot list of {len(self)} entries>"

    def stale(self, at: datetime) -> bool:
        """Is the list too old at `at` (UTC)? Or made a day later than that: then one of the two times is wrong."""
        return not self.not_before <= at < self.stale_after

    def knows_any(self, texts: Sequence[str]) -> bool:
        """Can any of these texts (at least one) be taken for an entry's? False for nearly every vehicle that passes, and then quickly."""
        keys = fold_keys(texts)
        return any(index.any_of(keys) for index in self.indexes)

    def texts(self, text: str) -> Sequence[Entry]:
        """The entries of exactly this text."""
        key = text_key(text)
        return self._entries(fold_key(text), key)

    def alike(self, text: str) -> Sequence[Entry]:
        """The entries of this text and of all that can be taken for it."""
        return self._entries(fold_key(text), None)

    def _entries(self, folded: int, key: int | None) -> Sequence[Entry]:
        found: list[Entry] = []
        for index in self.indexes:
            for place in index.places(folded):
                if key is None or index.text_key_at(place) == key:
                    entry = index.entry(place)
                    if entry_key(entry) not in self.withdrawn:
                        found.append(entry)
        return found

    def by_category(self, today: date) -> dict[str, int]:
        """How many entries of each category have not expired by `today`, withdrawn ones included."""
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
) -> HotList:
    """The list in force. `allowed`: the categories that any rule of the policy names, None for all; entries of others are forgotten and counted here."""
    header = compiled.header
    parts = [_restricted(compiled, allowed), *([_restricted(manual, allowed)] if manual else [])]
    dropped = dict(header.dropped)
    for _, gone in parts:
        for name, count in gone.items():
            dropped[name] = dropped.get(name, 0) + count
    digest = hashlib.sha256(f"{compiled.digest} {manual_digest}".encode()).hexdigest() if manual_digest else compiled.digest
    indexes = tuple(index for index, _ in parts if len(index))
    numbers = header.expired, header.identical, header.contradicting
    made = header.made
    return HotList(indexes, made, made - timedelta(days=1), made + max_age, digest, header.shapes, dict(sorted(dropped.items())), *numbers, withdrawn)


def _restricted(compiled: Compiled, allowed: Iterable[str] | None) -> tuple[Index, dict[str, int]]:
    """The index of the allowed categories, and how many entries of each other one were left out. What is left out is not kept in memory."""
    header, columns = compiled.header, compiled.columns
    names = header.names["category"]
    wanted = set(names) if allowed is None else {NEVER_RELEASE, *allowed}
    counts = np.bincount(columns.of["category"], minlength=len(names))
    gone = {name: int(count) for name, count in zip(names, counts, strict=True) if count and name not in wanted}
    if gone:
        keep = np.isin(columns.of["category"], [number for number, name in enumerate(names) if name in wanted])
        columns = columns.take(keep).compact()  # no view of the file's bytes is left
    return Index(columns, header.names, header.multiplier), gone
