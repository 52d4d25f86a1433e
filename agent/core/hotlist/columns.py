"""The hot list's entries as rows of numbers, sorted so that all look-alikes of a text are found in
constant time.

Each entry has the key of its text (64 bits, exact) and a slot: the key of its folded text times an
odd multiplier, modulo 2^64. That is a bijection, so equal slots mean equal folds; its high bits are
spread evenly (multiply-shift hashing: Dietzfelbinger et al., 1997) and number the bucket. Entries
are sorted by slot; `starts` says where each bucket begins. Buckets are as many as entries: a
look-up visits one or two. All numbers of an entry lie side by side: memory that nobody has touched
for a while takes longer to fetch than everything else that a look-up does.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

# The widest first, so that each begins at a multiple of its width; `spare` is nought, and makes it
# 32 bytes.
WIDTHS = {
    "slot": "<u8",
    "text": "<u8",
    "case_at": "<u4",
    "state": "<u2",
    "agency": "<u2",
    "source_date": "<u2",
    "expires": "<u2",
} | dict.fromkeys(("category", "vehicle_class", "case_length", "spare"), "<u1")
ROW = np.dtype(list(WIDTHS.items()))
PACKED_ROW = Struct("<8xQI4H3Bx")  # the same for one row, without numpy, slot and spare
NAMED = ("state", "category", "agency", "vehicle_class")  # columns that are numbers of names
IDENTITY = ("text", "state", "category", "agency", "vehicle_class")  # and the case: one entry
MAX_ALIKE = 1000  # entries that look like one another; more would make one sighting's match slow
WORD = (1 << 64) - 1
MAX_CROWD = 32  # different folds in one bucket; evenly spread, twelve are hardly ever reached
_MAX_BUCKET_BITS = 24
AT_ONCE = 65_536  # rows, where the numbers of all their bytes would take many times their room


@dataclass(frozen=True, slots=True)
class Columns:
    """`rows`: of dtype ROW; `cases`: the case references one after another, ASCII, as `case_at` and
    `case_length` say; `lines`: of each entry, in the file that was read just now; else None.
    """

    rows: NDArray[Any]
    cases: NDArray[Any]
    lines: NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, places: NDArray[Any]) -> Columns:
        """The entries at these places (or where a mask is true), in that order. A copy."""
        lines = None if self.lines is None else self.lines[places]
        return Columns(self.rows[places], self.cases, lines)

    def compact(self) -> Columns:
        """The same entries, with no case reference in memory that none of them has.

        The rows are changed in place.
        """
        length = self.rows["case_length"].astype(np.int64)
        begins = np.cumsum(length) - length
        cases = np.empty(int(length.sum()), "<u1")
        for first in range(0, len(self), AT_ONCE):
            part = slice(first, first + AT_ONCE)
            shift = np.repeat(
                self.rows["case_at"][part].astype(np.int64) - begins[part], length[part]
            )
            target = np.arange(begins[first], begins[first] + len(shift))
            cases[target] = self.cases[target + shift]
        self.rows["case_at"] = begins
        return Columns(self.rows, cases, self.lines)

    def case(self, place: int) -> bytes:
        """One entry's case reference."""
        start = int(self.rows["case_at"][place])
        return self.cases[start : start + int(self.rows["case_length"][place])].tobytes()


def slots_of(fold_keys: NDArray[Any], multiplier: int) -> NDArray[Any]:
    """Where entries with these folds are to be found: (fold_key · multiplier) mod 2^64."""
    with np.errstate(over="ignore"):
        return np.asarray(fold_keys.astype("<u8") * np.uint64(multiplier), "<u8")


def bucket_bits(entries: int) -> int:
    """How many high bits of a slot number its bucket: about as many buckets as entries, at least
    two.
    """
    return min(max(entries.bit_length(), 1), _MAX_BUCKET_BITS)


def bucket_starts(slots: NDArray[Any], bits: int) -> NDArray[Any]:
    """For sorted slots: where each of the 2^bits buckets begins, and at last where the last one
    ends.
    """
    counts = np.bincount((slots >> np.uint64(64 - bits)).astype(np.int64), minlength=1 << bits)
    starts = np.zeros((1 << bits) + 1, "<u4")
    np.cumsum(counts, out=starts[1:])
    return starts


def run_edges(sorted_keys: NDArray[Any]) -> NDArray[Any]:
    """Where each run of equal keys begins, and at last where the last one ends; of none, one
    edge.
    """
    changes = sorted_keys[1:] != sorted_keys[:-1]
    return np.flatnonzero(np.concatenate(([True][: len(sorted_keys)], changes, [True])))


def longest_run(sorted_keys: NDArray[Any]) -> slice:
    """Where the longest run of equal keys lies."""
    edges = run_edges(sorted_keys)
    if len(edges) < 2:
        return slice(0, 0)
    longest = int(np.diff(edges).argmax())
    return slice(int(edges[longest]), int(edges[longest + 1]))


def most_alike(slots: NDArray[Any]) -> int:
    """The length of the longest run of equal, sorted slots."""
    run = longest_run(slots)
    return int(run.stop - run.start)


def most_crowded(slots: NDArray[Any]) -> int:
    """How many different slots the fullest bucket holds.

    Sorted slots.

    Mitigates against: a multiplier chosen so that all entries fall into one bucket, and each
    look-up goes through them all.
    """
    if not len(slots):
        return 0
    different = slots[np.concatenate(([True], slots[1:] != slots[:-1]))]
    shift = np.uint64(64 - bucket_bits(len(slots)))
    buckets = different >> shift
    return most_alike(buckets)


def in_order(columns: Columns) -> Columns:
    """Sorted by slot, then text; equal texts stay in the list's order."""
    return columns.take(np.lexsort((columns.rows["text"], columns.rows["slot"])))


def canonical(columns: Columns) -> Columns:
    """Columns in order, in the one form that these entries have: those of one text by what tells
    them apart, and the cases one after another. So the same list, made in whatever way, has the
    same bytes.
    """
    edges, order = run_edges(columns.rows["text"]), np.arange(len(columns))
    for run in np.flatnonzero(np.diff(edges) > 1):
        begin, end = edges[run : run + 2]
        order[begin:end] = sorted(range(begin, end), key=lambda at: _identity(columns, at))
    return columns.take(order).compact()


def without_repeats(columns: Columns, protects: Callable[[int], bool]) -> tuple[Columns, int, int]:
    """Sorted columns with one entry for each identity; how many rows were identical to another, and
    how many contradicted it in their dates.

    Of contradicting rows the one with the later source date wins, then the one that expires
    earlier: the newer report, the shorter suspicion. Where `protects` says so of the category
    (never-release), the one that expires later wins: the longer protection.
    """
    texts = columns.rows["text"]
    followers = np.flatnonzero(texts[1:] == texts[:-1]) + 1
    keep = np.ones(len(columns), bool)
    identical = contradicting = 0
    best: dict[tuple[object, ...], int] = {}
    last = -1
    for place in (int(one) for one in followers):
        if place - 1 != last:  # a new run of one text begins just before
            best = {_identity(columns, place - 1): place - 1}
        last = place
        identity = _identity(columns, place)
        other = best.setdefault(identity, place)
        if other == place:
            continue
        same = _dates(columns, place) == _dates(columns, other)
        identical, contradicting = identical + same, contradicting + (not same)
        loser = (
            place
            if same or _rank(columns, other, protects) >= _rank(columns, place, protects)
            else other
        )
        best[identity] = other + place - loser
        keep[loser] = False
    return (columns if keep.all() else columns.take(keep)), identical, contradicting


def _identity(columns: Columns, place: int) -> tuple[object, ...]:
    return (*(int(columns.rows[name][place]) for name in IDENTITY), columns.case(place))


def _dates(columns: Columns, place: int) -> tuple[int, int]:
    return int(columns.rows["source_date"][place]), int(columns.rows["expires"][place])


def _rank(columns: Columns, place: int, protects: Callable[[int], bool]) -> tuple[int, int]:
    source_date, expires = _dates(columns, place)
    return (
        (expires, source_date)
        if protects(int(columns.rows["category"][place]))
        else (source_date, -expires)
    )
