"""How long receipts stood still around each kill. Values in, values out; times by one clock."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Moment:
    """What was done, and when."""

    what: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Gap:
    """From one moment to the next.

    `silence_s`: the longest time without any receipt; `slowest_s`: the longest wait for a receipt,
    of the reads that waited then or were sent; `reads`: how many those are.
    """

    what: str
    silence_s: float
    slowest_s: float
    reads: int


def gaps(
    moments: Sequence[Moment], end_s: float, sent: Mapping[str, float], got: Mapping[str, float]
) -> list[Gap]:
    """One for each moment. A read without a receipt counts as waiting until the last receipt."""
    times = sorted(got.values())
    last_s = times[-1] if times else end_s
    found = []
    for moment, until_s in zip(moments, [*(one.at_s for one in moments[1:]), end_s], strict=True):
        waits = [
            got.get(read, last_s) - max(sent_s, moment.at_s)
            for read, sent_s in sent.items()
            if sent_s < until_s and got.get(read, last_s) >= moment.at_s
        ]
        silence_s = _silence(times, moment.at_s, until_s)
        found.append(Gap(moment.what, silence_s, max(waits, default=0.0), len(waits)))
    return found


def _silence(times: Sequence[float], from_s: float, to_s: float) -> float:
    """The longest pause of which any part lies between the two."""
    inside = times[max(bisect_right(times, from_s) - 1, 0) : bisect_right(times, to_s) + 1]
    if len(inside) < 2:
        return to_s - from_s
    return max(later - earlier for earlier, later in pairwise(inside))
