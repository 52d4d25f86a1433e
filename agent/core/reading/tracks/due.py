"""When a vehicle in view can be told: its reads agree. Why, and what it was measured by:
docs/design/tracking.md.
"""

from __future__ import annotations

from math import fsum
from typing import TYPE_CHECKING

from agent.core.reading.tracks.followed import leading
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.reading.tracks.followed import Followed


@dataclass(frozen=True, slots=True)
class Due:
    """`early_reads`, `early_confidence`: so many equal reads, each so confident, are told at once.
    So are `few_reads`, where at most one in `outweigh` reads of these speaks against them. Of a
    vehicle that was told unsurely, or as another text, it must be `early_reads` again, or
    `sure_reads`, where what they exceed `little` by sums up to `sure_excess`; of another text, at
    least `other_reads`.
    """

    early_reads: int = 2
    early_confidence: float = 0.99
    few_reads: int = 3
    outweigh: int = 3
    other_reads: int = 3
    sure_reads: int = 5
    little: float = 0.8
    sure_excess: float = 0.8

    def agree(self, one: Followed) -> bool:
        """Do so many of its reads have one text that a vote may be sure?"""
        text, equal, against = leading(one.reads)
        certain = sum(read.confidence >= self.early_confidence for read in equal)
        if len(equal) <= against:
            return False
        if one.told is None:
            few = len(equal) >= max(self.few_reads, self.outweigh * against)
            return few or certain >= self.early_reads
        if text != one.told.text and len(equal) < self.other_reads:
            return False
        excess = fsum(read.confidence - self.little for read in equal)
        many = len(equal) >= self.sure_reads and excess >= self.sure_excess
        return certain >= self.early_reads or many
