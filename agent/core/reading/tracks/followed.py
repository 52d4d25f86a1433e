"""One vehicle that is being followed: its place, the reads that wait for a verdict, and what of it
was told.
"""

from __future__ import annotations

from collections import defaultdict
from math import fsum
from typing import TYPE_CHECKING

from agent.core.reading.tracks.likeness import part, readable, worth
from agent.core.reasons import Limit
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent.core.reading.sighting import PlateRead
    from agent.core.reading.tracks.motion import Motion
    from agent.core.reading.tracks.told import Told


@dataclass(slots=True)
class Followed:
    """A vehicle in view, or just out of it.

    `best`: the read that says which vehicle it is. `reads`: the best of those that speak of what
    was not told yet. `told`: its entry in memory, None before. `fresh`: has anything come in since
    it was judged? `read_at`: when its plate was read last, rather than followed by its box.
    `missed`: is it out of sight, and was the vote asked since?
    """

    track_id: int
    motion: Motion
    best: PlateRead
    reads: list[PlateRead] = field(default_factory=list)
    told: Told | None = None
    fresh: bool = False
    missed: bool = False
    read_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.read_at = self.best.captured.utc

    @property
    def settled(self) -> bool:
        """Was its text told surely, and has nothing since spoken against it?"""
        return self.told is not None and self.told.sure and bool(self.told.text) and not self.reads

    def take(self, read: PlateRead, now: datetime, max_reads: int) -> None:
        """Take one more read in; of too many, the least useful goes.

        A read that is carried over, since its plate was not read anew, says only that the vehicle
        is there.
        """
        carried_over = any(
            read.captured == one.captured and read.text == one.text
            for one in (self.best, *self.reads)
        )
        self.motion.saw(read.box.box, now)
        self.read_at = max(self.read_at, read.captured.utc)
        self.missed = False
        if self.told is not None and not self._taken_for_another(read):
            self._told_again(read, self.told)
        elif not carried_over or not self.reads:
            self._keep(read, max_reads)

    def become(self, track_id: int, told: Told) -> None:
        """It was told, as this: its reads, and their pictures, are forgotten here."""
        same = [read for read in self.reads if read.text.value == told.text]
        self.best = max(same, key=worth, default=self.best)
        self.track_id, self.told, self.reads = track_id, told, []

    def _told_again(self, read: PlateRead, told: Told) -> None:
        """It is still there; what was read in between was misread."""
        told.moved(self.motion)
        if read.text.value == told.text and readable(read):
            self.best = max(self.best, read, key=worth)
            self.reads.clear()

    def _keep(self, read: PlateRead, max_reads: int) -> None:
        self.fresh = True
        if Limit.OVERLAY in read.limits:  # what it read before was the overlay as well
            self.reads = [one for one in self.reads if Limit.OVERLAY in one.limits]
        if self.told is None:
            self.best = max(self.best, read, key=worth)
        self.reads.append(read)
        if len(self.reads) > max_reads:
            self.reads.remove(min(self.reads, key=_usefulness))

    def _taken_for_another(self, read: PlateRead) -> bool:
        """Beside what was told: does it say something else, or the same more surely?"""
        if self.told is None or not readable(read) or part(read, self.best):
            return False
        return read.text.value != self.told.text or not self.told.sure


def leading(reads: Sequence[PlateRead]) -> tuple[str, tuple[PlateRead, ...], int]:
    """The text that the readable reads speak for most, the reads that have it, and how many speak
    against it. A part of it does not.
    """
    weights: defaultdict[str, list[float]] = defaultdict(list)
    for read in reads:
        if readable(read):
            weights[read.text.value].append(worth(read))
    if not weights:
        return "", (), 0
    text = max(weights, key=lambda one: (fsum(weights[one]), one))
    equal = tuple(read for read in reads if read.text.value == text and readable(read))
    against = sum(
        readable(read) and read.text.value != text and not part(read, equal[0]) for read in reads
    )
    return text, equal, against


def _usefulness(read: PlateRead) -> tuple[float, float]:
    """By what it weighs in a vote, so that a plate that comes nearer is not voted on by its many
    small reads alone.
    """
    return read.confidence * read.box.box[2], read.sharpness
