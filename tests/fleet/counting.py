"""What became of every read: stored once, rung once, receipted, none lost. Values in, words out."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Told:
    """What the run showed.

    `sent`, `receipted`: read ids at the cameras; `stored`, `lines`: how often the shared store and
    the receivers' outputs have each; `rung`: leads in messages of different ids. `waiting`: rows
    that still wait to be told or rung. `odd`: receipts that no camera takes.

    `may_tell_again`, `may_ring_again`: as many as processes had in hand when they were killed.
    """

    sent: AbstractSet[str]
    receipted: AbstractSet[str]
    stored: Mapping[str, int]
    lines: Mapping[str, int]
    rung: int
    waiting: int = 0
    odd: int = 0
    may_tell_again: int = 0
    may_ring_again: int = 0


def faults(told: Told) -> list[str]:
    """One line for each promise that was broken; none where all hold."""
    told_twice = sum(told.lines.values()) - len(told.lines)
    rung_twice = told.rung - len(told.stored)
    found = [
        _some("lost: receipted or not, and in no store", told.sent - told.stored.keys()),
        _some("stored, and nobody sent it", told.stored.keys() - told.sent),
        _some("stored more than once", {one for one, times in told.stored.items() if times != 1}),
        _some("without a receipt", told.sent - told.receipted),
        _some("stored and never told", told.stored.keys() - told.lines.keys()),
        told_twice > told.may_tell_again
        and f"{told_twice} told again, {told.may_tell_again} at most were in hand at a kill",
        rung_twice < 0 and f"{-rung_twice} never rung",
        rung_twice > told.may_ring_again
        and f"{rung_twice} rung again, {told.may_ring_again} at most were in hand at a kill",
        told.waiting and f"{told.waiting} still wait to be told or rung",
        told.odd and f"{told.odd} receipts that fit no read",
        not told.sent and "nothing was sent: this shows nothing",
    ]
    return [one for one in found if one]


def _some(what: str, reads: AbstractSet[str]) -> str:
    if not reads:
        return ""
    return f"{len(reads)} {what}: {', '.join(sorted(reads)[:SHOWN])}"
