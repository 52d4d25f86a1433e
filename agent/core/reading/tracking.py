"""Follows plates from frame to frame, so that one vehicle is one sighting, however long it stays in
view.

A track is emitted once: when the vehicle has gone, when its reads already agree, or when it has
waited long enough; a parked car is then kept in mind, silently, until it leaves. Time comes from
the frames; memory is bounded by the numbers in `Tracking`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from math import hypot
from typing import TYPE_CHECKING

from agent.core.reading.overlap import overlap
from agent.core.reading.sighting import Track

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent.core.reading.sighting import Frame, PlateRead


@dataclass(frozen=True, slots=True)
class Tracking:
    """The tracker's numbers; the defaults hold from 2 to 30 frames a second.

    `gap_s`: unseen for longer, a moving vehicle has gone. `parked_gap_s`: the same for one that
    stands (a bus may pass before it). `sure_reads`, `sure_confidence`, `sure_s`: so many equal
    reads, at that mean confidence, over that time, are enough. `max_wait_s`: a readable track that
    never gets sure is emitted as it is. `widths_per_s`: how many plate widths a vehicle can move in
    a second.
    """

    gap_s: float = 2.0
    parked_gap_s: float = 30.0
    sure_reads: int = 5
    sure_confidence: float = 0.9
    sure_s: float = 0.5
    max_wait_s: float = 15.0
    widths_per_s: float = 20.0
    max_reads: int = 12
    max_tracks: int = 64


@dataclass(slots=True)
class _Open:
    """A track that has not ended.

    `reads`: the best ones so far, none once emitted. `anchor`: the surest read, which says which
    vehicle this is.
    """

    track_id: int
    last: PlateRead
    anchor: PlateRead
    first_seen: datetime
    last_seen: datetime
    start: tuple[float, float]
    reads: list[PlateRead] = field(default_factory=list)
    velocity: tuple[float, float] = (0.0, 0.0)  # px per second, of the box's centre
    emitted: bool = False

    def add(self, read: PlateRead, now: datetime, max_reads: int) -> None:
        """Take one more read in; of too many, the least useful goes."""
        seconds = (now - self.last_seen).total_seconds()
        if seconds > 0:
            (x, y), (last_x, last_y) = _centre(read), _centre(self.last)
            self.velocity = ((x - last_x) / seconds, (y - last_y) / seconds)
        self.last, self.last_seen = read, now
        self.anchor = max(self.anchor, read, key=lambda one: (len(one.text) > 0, one.confidence))
        if not self.emitted:
            self.reads.append(read)
            if len(self.reads) > max_reads:
                self.reads.remove(min(self.reads, key=_usefulness))

    @property
    def parked(self) -> bool:
        """Has it stayed within a plate's width of where it appeared?"""
        (x, y), (start_x, start_y) = _centre(self.last), self.start
        return hypot(x - start_x, y - start_y) <= self.last.box.box[2]


class Tracker:
    """See the module. Feed frames in order of capture; a clock that jumps back ends every track."""

    def __init__(self, numbers: Tracking | None = None) -> None:
        self._numbers = numbers or Tracking()
        self._open: list[_Open] = []
        self._next_id = 1
        self._now: datetime | None = None

    def add(self, frame: Frame, reads: Sequence[PlateRead]) -> list[Track]:
        """Take one frame's reads in; the tracks that have just ended or are sure already, none of
        them emitted before.
        """
        now = frame.captured.utc
        ended = (
            self.finish() if self._now is not None and now < self._now else self._end_unseen(now)
        )
        self._now = now
        for track, read in self._associate(reads, now):
            if track is not None:
                track.add(read, now, self._numbers.max_reads)
            else:
                self._open.append(_Open(self._next_id, read, read, now, now, _centre(read), [read]))
                self._next_id += 1
        return (
            ended
            + self._end_surplus()
            + [
                self._emit(track)
                for track in self._open
                if not track.emitted and self._enough(track, now)
            ]
        )

    def finish(self) -> list[Track]:
        """The frames are over: every track that was not emitted yet."""
        ended, self._open = self._open, []
        return [self._emit(track) for track in ended if not track.emitted]

    def _end_unseen(self, now: datetime) -> list[Track]:
        numbers = self._numbers
        gone = [
            track
            for track in self._open
            if (now - track.last_seen).total_seconds()
            > (numbers.parked_gap_s if _stands(track) else numbers.gap_s)
        ]
        return self._end(gone)

    def _end_surplus(self) -> list[Track]:
        """Keep memory bounded in a frame full of plates, or of what a detector takes for plates:
        the longest unseen go.
        """
        surplus = len(self._open) - self._numbers.max_tracks
        return (
            self._end(sorted(self._open, key=lambda track: track.last_seen)[:surplus])
            if surplus > 0
            else []
        )

    def _end(self, gone: list[_Open]) -> list[Track]:
        ids = {track.track_id for track in gone}
        self._open = [track for track in self._open if track.track_id not in ids]
        return [self._emit(track) for track in gone if not track.emitted]

    def _enough(self, track: _Open, now: datetime) -> bool:
        """Are the reads sure already, or has the vehicle stood here long enough, or gone behind
        something?
        """
        numbers, seconds = self._numbers, (now - track.first_seen).total_seconds()
        waited = (
            seconds >= numbers.max_wait_s and sum(map(_readable, track.reads)) >= numbers.sure_reads
        )
        if waited or (now - track.last_seen).total_seconds() > numbers.gap_s:
            return True
        agreeing = [
            read.confidence
            for read in track.reads
            if len(read.text) and read.text == track.anchor.text
        ]
        sure = len(agreeing) >= numbers.sure_reads and sum(
            agreeing
        ) >= numbers.sure_confidence * len(agreeing)
        return sure and seconds >= numbers.sure_s and 2 * len(agreeing) > len(track.reads)

    @staticmethod
    def _emit(track: _Open) -> Track:
        """The track as a value; its reads, and their pictures, are forgotten here."""
        reads, track.reads, track.emitted = tuple(track.reads), [], True
        return Track(track.track_id, reads)

    def _associate(
        self, reads: Sequence[PlateRead], now: datetime
    ) -> list[tuple[_Open | None, PlateRead]]:
        """Each read with the open track it continues, None for a new vehicle; best pairs first,
        each track and read once.
        """
        pairs = [
            (self._likeness(track, read, now), t, r)
            for t, track in enumerate(self._open)
            for r, read in enumerate(reads)
        ]
        continued: dict[int, int] = {}
        for likeness, t, r in sorted(pairs, reverse=True):
            if likeness > 0 and r not in continued and t not in continued.values():
                continued[r] = t
        return [
            (self._open[continued[r]] if r in continued else None, read)
            for r, read in enumerate(reads)
        ]

    def _likeness(self, track: _Open, read: PlateRead, now: datetime) -> float:
        """How likely a read continues a track: 0 impossible; place, size and text each have a veto.

        Like texts may lie as far apart as a vehicle can drive; where a text says too little, the
        place must fit; texts that differ, be it in one character of which both reads are sure, are
        one vehicle only on the very spot, and not when they differ altogether: then another has
        taken it.
        """
        seconds = (now - track.last_seen).total_seconds()
        (x, y), (last_x, last_y), (vx, vy) = _centre(read), _centre(track.last), track.velocity
        width, last_width = max(read.box.box[2], 1.0), max(track.last.box.box[2], 1.0)
        from_last = hypot(x - last_x, y - last_y) / max(width, last_width)
        from_predicted = min(
            from_last,
            hypot(x - last_x - vx * seconds, y - last_y - vy * seconds) / max(width, last_width),
        )
        limit = 1.5 + self._numbers.widths_per_s * seconds
        if from_last > limit or not 1 / MAX_GROWTH <= width / last_width <= MAX_GROWTH:
            return 0.0
        alike = similarity(track.anchor, read)
        both_readable = _readable(track.anchor) and _readable(read)
        contradict = (
            alike < 1
            and min(track.anchor.confidence, read.confidence) >= self._numbers.sure_confidence
        )
        if (alike >= SIMILAR and not contradict) or (
            not both_readable and alike >= HALF and from_last <= limit / 2
        ):
            return 0.5 + 0.5 * alike + 1.0 / (1.0 + from_predicted)
        near = (
            from_predicted <= (0.5 if both_readable else 1.5)
            or overlap(track.last.box.box, read.box.box) >= MIN_IOU
        )
        return (
            0.3 / (1.0 + from_predicted) if near and (alike >= HALF or not both_readable) else 0.0
        )


SIMILAR = 0.7  # of seven characters, two may differ
HALF = 0.5  # below this, two readable texts are two vehicles
MIN_IOU = 0.3
MAX_GROWTH = 3.0  # of a plate's width from one sight to the next
READABLE = 0.3  # a read less confident than this says little about which vehicle it is


def _readable(read: PlateRead) -> bool:
    return len(read.text) > 0 and read.confidence >= READABLE


def similarity(one: PlateRead, other: PlateRead) -> float:
    """How alike two texts are, 0–1: one less the edit distance over the longer one's length; 0
    where either is empty.
    """
    a, b = one.text.value, other.text.value
    if not a or not b:
        return 0.0
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        current = [i]
        for j, right in enumerate(b, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (left != right)))
        previous = current
    return 1.0 - previous[-1] / max(len(a), len(b))


def _centre(read: PlateRead) -> tuple[float, float]:
    x, y, width, height = read.box.box
    return x + width / 2, y + height / 2


def _stands(track: _Open) -> bool:
    """Parked, and seen for long enough to say so."""
    return track.parked and track.last_seen - track.first_seen >= timedelta(seconds=2)


def _usefulness(read: PlateRead) -> tuple[float, float]:
    return (read.confidence, read.sharpness)
