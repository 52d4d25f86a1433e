"""When a vehicle in view can be told: its reads agree, or nothing better will come of it. Why, and
what it was measured by: docs/design/tracking.md.
"""

from __future__ import annotations

from datetime import timedelta
from math import fsum
from typing import TYPE_CHECKING

from agent.core.reading.tracks.followed import leading
from agent.core.reading.tracks.likeness import readable
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from agent.core.reading.tracks.followed import Followed


@dataclass(frozen=True, slots=True)
class Due:
    """`early_reads`, `early_confidence`: so many equal reads, each so confident, are told at once.
    So are `few_reads`, where at most one in `outweigh` reads of these speaks against them. Of a
    vehicle that was told as another text or unsurely, so are `other_reads`; not all that sure, they
    must be `sure_reads`, and what they exceed `little` by must sum up to `sure_excess`.
    `leaving_s`: who leaves the picture so soon is told as it is, after `few_reads` readable ones;
    `steady_s`: and who leaves so soon, where `steady_reads` are equal and do not get surer.
    """

    early_reads: int = 2
    early_confidence: float = 0.99
    few_reads: int = 3
    outweigh: int = 3
    other_reads: int = 3
    sure_reads: int = 5
    little: float = 0.8
    sure_excess: float = 0.8
    leaving_s: float = 0.2
    steady_s: float = 1.0
    steady_reads: int = 6
    rising: float = 0.02

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

    def last_chance(self, one: Followed, size: tuple[int, int], now: datetime) -> bool:
        """Will it leave a picture of that height and width (px) before it can be read better?"""
        if one.told is not None:
            return False
        if one.motion.leaving(size, now + timedelta(seconds=self.leaving_s)):
            return sum(map(readable, one.reads)) >= self.few_reads
        soon = one.motion.leaving(size, now + timedelta(seconds=self.steady_s))
        return soon and self._steady(one)

    def _steady(self, one: Followed) -> bool:
        """Do its reads say the same again and again, and get no surer?"""
        text, equal, against = leading(one.reads)
        *before, last = one.reads
        if len(equal) < self.steady_reads * max(1, against) or last.text.value != text:
            return False
        surest = max(read.confidence for read in before if read.text.value == text)
        return last.confidence <= surest + self.rising
