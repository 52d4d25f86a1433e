"""Holds a log against its signed checkpoints and names what was changed, deleted or reordered, leaf
by leaf (P7).

A checkpoint is signed after every leaf and kept with the tree's peaks. Peaks that hash to a signed
root are as good as signed, so each leaf is judged by itself: peaks before it + leaf = root after
it. One altered leaf does not cast doubt on those that follow.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence

from agent.audit.verdict import Fault
from agent.core.log.checkpoint import Checkpoint
from agent.core.log.merkle import Frontier
from agent.core.reasons import Reason
from agent.storage.log_reader import LeafRow
from agent.values import dataclass, replace

WITHHELD = (
    "it stands as it was signed, and what it says is withheld: it may be a release, a refusal, a "
    "withdrawal or another policy"
)
_Pick = Callable[[LeafRow], bytes | None]


@dataclass(frozen=True, slots=True)
class Mark:
    """A checkpoint whose signature is good. `frontier`: its peaks, if they hash to its root."""

    checkpoint: Checkpoint
    frontier: Frontier | None = None


@dataclass(frozen=True, slots=True)
class _Judgement:
    """`proven`: leaf number → hash that a signed checkpoint confirms. `single`: leaves that a
    checkpoint of their own disproves.
    """

    proven: Mapping[int, bytes]
    disproven: frozenset[int]
    unproven: tuple[tuple[int, int], ...]


def examine(rows: Sequence[LeafRow], marks: Mapping[int, Mark]) -> tuple[Fault, ...]:
    """All faults of a log, by leaf; the least certain last. `marks`: valid checkpoints by size, at
    least one.
    """
    signed = max(marks)
    by_number: dict[int, list[LeafRow]] = {}
    for row in rows:
        by_number.setdefault(_number(row), []).append(row)
    judgement = _judge(by_number, marks)
    faults = [
        *_missing(by_number, signed),
        *_changed(by_number, judgement, signed),
        *_reordered(rows),
        *_unproven(judgement, by_number),
        *_unsigned(by_number, signed),
        *_withheld(by_number, judgement),
    ]
    return tuple(
        sorted(
            _merged(faults),
            key=lambda fault: (fault.reason == Reason.ROOT_MISMATCH, fault.leaf or 0, fault.reason),
        )
    )


def _number(row: LeafRow) -> int:
    """Which leaf a row is: what its details state, if they are whole; else the place where it
    stands.
    """
    if row.claim is not None and row.computed is not None and row.computed == row.stored:
        return row.claim
    return row.place


def _judge(by_number: Mapping[int, Sequence[LeafRow]], marks: Mapping[int, Mark]) -> _Judgement:
    proven: dict[int, bytes] = {}
    disproven: set[int] = set()
    unproven: list[tuple[int, int]] = []
    start = 0
    frontier: Frontier | None = Frontier()
    for size, mark in sorted(marks.items()):
        found = (
            _fitting(by_number, frontier, start, mark.checkpoint) if frontier is not None else None
        )
        if frontier is not None and found is not None:
            proven.update(zip(range(start, size), found, strict=True))
            frontier = frontier.extend(found)
        elif size > start:
            known = frontier is not None and size == start + 1
            disproven.update({start} if known else ())
            unproven.extend(() if known else [(start, size - 1)])
            frontier = mark.frontier
        start = size
    return _Judgement(proven, frozenset(disproven), tuple(unproven))


def _fitting(
    by_number: Mapping[int, Sequence[LeafRow]], frontier: Frontier, start: int, target: Checkpoint
) -> list[bytes] | None:
    """The hashes of leaves `start` up to `target.size` that lead from the frontier to the target's
    root, if the rows hold them.
    """
    length = target.size - start
    if length > len(by_number):
        return None  # leaves are missing; also keeps an absurd signed size from costing time
    for pick in _PICKS:
        hashes = [
            one
            for number in range(start, target.size)
            if (one := next(filter(None, map(pick, by_number.get(number, ()))), None))
        ]
        if len(hashes) == length and frontier.extend(hashes).root() == target.root:
            return hashes
    # several rows may state the same number: a planted one must not hide the true one
    if length == 1:
        for row in by_number.get(start, ()):
            for one in (row.computed, row.stored):
                if one and frontier.append(one).root() == target.root:
                    return [one]
    return None


def _of_details(row: LeafRow) -> bytes | None:
    return row.stored if row.pruned else row.computed


def _of_column(row: LeafRow) -> bytes | None:
    return row.stored


_PICKS: tuple[_Pick, ...] = (_of_details, _of_column)


def _missing(by_number: Mapping[int, Sequence[LeafRow]], signed: int) -> Iterable[Fault]:
    expected, before = 0, ""
    for number in sorted(number for number in by_number if 0 <= number < signed):
        row = by_number[number][0]
        if number > expected:
            yield Fault(
                Reason.LEAF_MISSING,
                expected,
                number - 1,
                "",
                f"deleted; {_between(before, row.at)}",
            )
        expected, before = number + 1, row.at
    if expected < signed:
        what = (
            (
                f"the log was cut off: {signed} leaves were signed, the last one here is "
                f"{expected - 1}"
            )
            if expected
            else f"all {signed} signed leaves are gone"
        )
        yield Fault(
            Reason.LOG_TRUNCATED, expected, signed - 1, "", f"{what}; {_between(before, '')}"
        )


def _between(before: str, after: str) -> str:
    if before and after:
        return f"it was logged between {before} and {after}"
    if before:
        return f"it was logged after {before}"
    return f"it was logged before {after}" if after else "its time is unknown"


def _changed(
    by_number: Mapping[int, Sequence[LeafRow]], judgement: _Judgement, signed: int
) -> Iterable[Fault]:
    for number, rows in by_number.items():
        for row in rows:
            what = _alteration(
                row,
                judgement.proven.get(number),
                disproven=number in judgement.disproven and number < signed,
            )
            if what:
                named = (
                    number
                    if row.place in (number, -1) or number not in judgement.proven
                    else row.place
                )
                yield Fault(Reason.LEAF_CHANGED, named, named, row.at, what)


def _alteration(row: LeafRow, true: bytes | None, *, disproven: bool) -> str:
    """What was done to a row, "" when nothing shows. `true`: the hash that a signed checkpoint
    proves for its number.
    """
    if row.place < 0:
        return "a row without a possible number stands in its place"
    if true is not None and _of_details(row) == true:
        return (
            ""
            if row.stored == true
            else "its details are the ones that were logged; the hash stored with them is not"
        )
    if true is not None and row.stored == true:
        return "its details are not the ones that were logged; its hash still is"
    if true is not None:
        return "an altered or second leaf stands at this place"
    if row.stored is None or (not row.pruned and row.computed != row.stored):
        return "its details do not fit its hash"
    return (
        (
            "its hash was recomputed, but another leaf was signed here (or one before it was "
            "deleted "
            "and the rest renumbered)"
        )
        if disproven
        else ""
    )


def _reordered(rows: Sequence[LeafRow]) -> Iterable[Fault]:
    """Whole leaves out of their order. A gap closed by moving all that follows is a deletion, not a
    reordering.
    """
    standing = [row for row in rows if row.place >= 0]
    for row, expected in zip(standing, sorted(_number(row) for row in standing), strict=True):
        if _number(row) != expected:
            yield Fault(
                Reason.LEAF_REORDERED,
                _number(row),
                _number(row),
                row.at,
                f"stands where leaf {expected} belongs",
            )


def _unproven(judgement: _Judgement, by_number: Mapping[int, Sequence[LeafRow]]) -> Iterable[Fault]:
    present = sorted(by_number)
    for first, last in judgement.unproven:
        at = bisect_left(present, first)
        if at == len(present) or present[at] > last:
            continue  # all of them are missing, and reported so
        row = by_number[present[at]][0]
        what = (
            "at least one of these is not what was signed, or the checkpoints between them are "
            "missing"
        )
        yield Fault(Reason.ROOT_MISMATCH, first, last, row.at if row.place == first else "", what)


def _unsigned(by_number: Mapping[int, Sequence[LeafRow]], signed: int) -> Iterable[Fault]:
    beyond = sorted(number for number in by_number if number >= signed)
    if beyond:
        what = f"no valid checkpoint covers it: the last one signs {signed} leaves"
        yield Fault(
            Reason.CHECKPOINT_INVALID, beyond[0], beyond[-1], by_number[beyond[0]][0].at, what
        )


def _withheld(by_number: Mapping[int, Sequence[LeafRow]], judgement: _Judgement) -> Iterable[Fault]:
    """Leaves that stand as they were signed, and whose words are gone.

    Mitigates against: a release that is taken out of sight by wiping what its leaf says. A wiped
    leaf does not tell its kind, so each is told.
    """
    for number, rows in by_number.items():
        if any(row.pruned and row.stored == judgement.proven.get(number) for row in rows):
            yield Fault(Reason.LEAF_WITHHELD, number, number, "", WITHHELD)


def _merged(faults: Iterable[Fault]) -> list[Fault]:
    """Neighbouring leaves with the same fault as one."""
    merged: list[Fault] = []
    for fault in sorted(
        faults, key=lambda one: (one.reason, one.what, -1 if one.leaf is None else one.leaf)
    ):
        last = merged[-1] if merged else None
        joins = (
            last is not None
            and last.last is not None
            and fault.leaf is not None
            and last.reason == fault.reason
            and last.what == fault.what
        )
        if last is not None and joins and fault.leaf == (last.last or 0) + 1:
            merged[-1] = replace(last, last=fault.last)
        else:
            merged.append(fault)
    return merged
