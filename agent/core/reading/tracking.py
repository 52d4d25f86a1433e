"""Follows plates from frame to frame, so that one vehicle is one sighting, however long it stays in
view and however often it is hidden.

A read continues a track by place, motion and text together (`tracks`). A track is told as soon as
its vote is sure, else when its vehicle has gone or has waited long enough. Reads of a told text are
then followed silently; equal reads of another text in its place are another vehicle. What was told
is remembered for minutes (`tracks.told`). Time comes from the frames; memory is bounded by the
numbers in `Tracking`. Why: docs/design/tracking.md.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.reading.overlap import overlap
from agent.core.reading.sighting import Track
from agent.core.reading.tracks.continuation import likeness
from agent.core.reading.tracks.due import Due
from agent.core.reading.tracks.followed import Followed, leading
from agent.core.reading.tracks.likeness import SURE, readable
from agent.core.reading.tracks.motion import Motion
from agent.core.reading.tracks.told import Remembered
from agent.core.reading.voting import vote
from agent.values import dataclass, replace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from agent.core.reading.sighting import Frame, PlateBox, PlateRead, Sighting

KNOWN_OVERLAP = 0.3  # intersection over union, of a box with where it should be


@dataclass(frozen=True, slots=True)
class Tracking:
    """The tracker's numbers; the defaults hold from 2 to 30 frames a second.

    `gap_s`: unseen for longer, a vehicle has gone or is hidden; `unsure_gap_s`: the same for one
    that may still be read better. `due`: what is told while it is in view, where the vote
    reaches `sure_confidence`. `max_wait_s`: a readable track that never gets sure is told as it is.
    `alike_reads`: a text that is like a remembered one is another vehicle after so many equal
    reads. `waited_reads`: so many readable ones wait no longer. `widths_per_s`: how many
    plate widths a vehicle can move in a second. `passing_s`, `standing_s`, `max_told`: of
    `told.Remembered`. `known_gap_s`: a told text is known unread only so short after it was seen;
    `known_s`: and after it was read; `often_known_s`: the same of one that is not told yet after
    `often` reads and was last read unsurely; `standing_known_s`: and that stands.
    """

    gap_s: float = 2.0
    unsure_gap_s: float = 5.0
    due: Due = Due()
    sure_confidence: float = SURE
    alike_reads: int = 3
    max_wait_s: float = 15.0
    waited_reads: int = 5
    widths_per_s: float = 20.0
    max_reads: int = 12
    max_tracks: int = 64
    passing_s: float = 30.0
    standing_s: float = 600.0
    max_told: int = 256
    known_gap_s: float = 0.5
    known_s: float = 2.0
    often: int = 5
    often_known_s: float = 0.19
    standing_known_s: float = 0.5


class Tracker:
    """See the module. Feed frames in order of capture; a clock that jumps back ends every track."""

    def __init__(self, numbers: Tracking | None = None) -> None:
        self._numbers = numbers or Tracking()
        self._followed: list[Followed] = []
        self._remembered = Remembered(
            self._numbers.passing_s, self._numbers.standing_s, self._numbers.max_told
        )
        self._sure_confidence = self._numbers.sure_confidence
        self._next_id = 1
        self._now: datetime | None = None

    def add(self, frame: Frame, reads: Sequence[PlateRead]) -> list[Track]:
        """Take one frame's reads in; the tracks that have just ended or are sure already, none of
        them told before.
        """
        now = frame.captured.utc
        ended = (
            self.finish()
            if self._now is not None and now < self._now
            else self._end([one for one in self._followed if self._gone(one, now)])
        )
        self._now = now
        self._remembered.forget_old(now)
        in_place = sorted(reads, key=lambda read: read.box.box)  # a detector's order means nothing
        for one, read in self._associate(in_place, now):
            (one or self._follow(read, now)).take(read, now, self._numbers.max_reads)
        ended += self._end_left(now, (frame.image.shape[0], frame.image.shape[1]))
        ended += self._end_surplus()
        judged = [self._judge(one, now) for one in self._followed if one.fresh]
        return ended + [track for track in judged if track is not None]

    def wait_for(self, confidence: float) -> None:
        """Tell no vehicle early whose vote is less sure (0–1): a rule that asks for more would drop
        it, and it is told once.
        """
        self._sure_confidence = max(self._numbers.sure_confidence, confidence)

    def was_released(self, text: str) -> None:
        """A rule has released the vehicle of that text: `tell_dropped_again` leaves it out."""
        self._remembered.was_released(text)

    def tell_dropped_again(self) -> None:
        """Tell every vehicle in view or in memory once more, as soon as it is read again, but for
        those that were released: policy or hot list are others now, and a standing car that was
        dropped may be wanted.
        """
        self._remembered.forget_dropped()
        for one in self._followed:
            if one.told is not None and not one.told.released:
                one.told = None

    def known(self, frame: Frame, box: PlateBox) -> PlateRead | None:
        """What a box of the next frame shows, where reading it would tell nothing new: a read of
        its vehicle, in this place, with the time of that read. None: it must be read.

        So it is for a vehicle that was told, and for one that was read often and unsurely. Only
        from one frame to the next, and only where the box lies on the expected place: two plates
        never overlap. Now and then it must be read all the same: another vehicle may have taken the
        spot while nobody looked.
        """
        now, numbers = frame.captured.utc, self._numbers
        for one in self._followed:
            read, unread_s = self._silent(one)
            if (
                read is not None
                and one.motion.at == self._now
                and 0 <= (now - one.motion.at).total_seconds() <= numbers.known_gap_s
                and now - one.read_at < timedelta(seconds=unread_s)
                and overlap(one.motion.expected(now), box.box) >= KNOWN_OVERLAP
            ):
                return replace(read, box=box)
        return None

    def awaits(self, frame: Frame, box: PlateBox) -> bool:
        """May a box of the next frame be a vehicle that was just seen?"""
        now = frame.captured.utc
        return any(
            one.motion.at == self._now and one.motion.fits(box.box, now) for one in self._followed
        )

    def coasted(self, frame: Frame) -> list[PlateBox]:
        """Where the vehicles of the last frame should be in this one, as far as that is inside."""
        now, (height, width) = frame.captured.utc, frame.image.shape[:2]
        return [
            one.best.box.moved_to(one.motion.expected(now))
            for one in self._followed
            if one.motion.at == self._now and not one.motion.leaves((height, width), now)
        ]

    def _silent(self, one: Followed) -> tuple[PlateRead | None, float]:
        """A read that stands for the vehicle while its plate is not read, and for how many seconds
        that may be. Only of one that was told, or that was read often and is not read surely.
        """
        numbers = self._numbers
        if one.settled:
            return one.best, numbers.known_s
        if len(one.reads) < numbers.often or one.reads[-1].confidence >= SURE:
            return None, 0.0
        unread_s = numbers.standing_known_s if one.motion.stood else numbers.often_known_s
        return one.reads[-1], unread_s

    def finish(self) -> list[Track]:
        """The frames are over: every track that was not told yet."""
        return self._end(list(self._followed))

    def _follow(self, read: PlateRead, now: datetime) -> Followed:
        one = Followed(self._number(), Motion(read.box.box, now), read)
        self._followed.append(one)
        return one

    def _number(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _end_left(self, now: datetime, size: tuple[int, int]) -> list[Track]:
        """Once a frame's reads are with their vehicles: what is still half in the picture, and
        read wrongly, has not left, and is no vehicle of its own.
        """
        return self._end([one for one in self._followed if one.motion.left(size, now)])

    def _gone(self, one: Followed, now: datetime) -> bool:
        """Is it out of sight for so long that no more of it need be awaited?"""
        unseen_s = (now - one.motion.at).total_seconds()
        if unseen_s <= self._numbers.gap_s:
            return False
        if one.told is not None or not readable(one.best):
            return True
        if not one.missed:
            one.missed = True
            return self._vote(one).confidence >= SURE
        return unseen_s > self._numbers.unsure_gap_s

    def _end_surplus(self) -> list[Track]:
        """Keep memory bounded in a frame full of plates, or of what a detector takes for plates:
        the longest unseen go.
        """
        surplus = len(self._followed) - self._numbers.max_tracks
        return (
            self._end(sorted(self._followed, key=lambda one: one.motion.at)[:surplus])
            if surplus > 0
            else []
        )

    def _end(self, gone: Sequence[Followed]) -> list[Track]:
        """What was not told of these is told now, sure or not."""
        ids = {one.track_id for one in gone}
        self._followed = [one for one in self._followed if one.track_id not in ids]
        told = [self._tell(one, self._vote(one), waits=False) for one in gone if one.told is None]
        return [track for track in told if track is not None]

    def _judge(self, one: Followed, now: datetime) -> Track | None:
        """Tell it, if its reads are sure already, or if its vehicle has stood here long enough."""
        one.fresh = False
        numbers = self._numbers
        if numbers.due.agree(one):
            elected = self._vote(one)
            if elected.confidence >= self._sure_confidence:
                return self._tell(one, elected, waits=True)
            if elected.confidence >= SURE:  # told now, it would not be told again as a rule wants
                return None
        waited = (
            one.told is None
            and (now - one.motion.since).total_seconds() >= numbers.max_wait_s
            and sum(map(readable, one.reads)) >= numbers.waited_reads
        )
        return self._tell(one, self._vote(one), waits=False) if waited else None

    def _tell(self, one: Followed, elected: Sighting, *, waits: bool) -> Track | None:
        """Its reads as a track; None where memory knows the vehicle, or where a misread of one is
        likelier than another one.

        `waits`: further reads may come, so a doubtful one is not decided yet.
        """
        text, sure = elected.text.value, elected.confidence >= SURE
        known = self._remembered.same(text, one.motion, sure=sure)
        equal = sum(read.text.value == text for read in one.reads if readable(read))
        if known is None and equal < self._numbers.alike_reads:
            known = self._remembered.alike(text, one.motion)
            if known is not None and waits:
                return None
        if known is not None:
            known.moved(one.motion)
            one.become(one.track_id, known)
            return None
        if one.told is not None and one.told.text != text:
            one.motion.restart()
        track = Track(one.track_id if one.told is None else self._number(), self._own(one))
        one.become(track.track_id, self._remembered.add(text, one.motion, sure=sure))
        return track

    def _vote(self, one: Followed) -> Sighting:
        return vote(Track(one.track_id, self._own(one)), "")

    def _own(self, one: Followed) -> tuple[PlateRead, ...]:
        """Its reads without those that have another followed vehicle's text: they were credited to
        it while that one was hidden.
        """
        text, _, _ = leading(one.reads)
        others = {other.best.text.value for other in self._followed if other is not one}
        return tuple(
            read
            for read in one.reads
            if read.text.value == text or not len(read.text) or read.text.value not in others
        )

    def _associate(
        self, reads: Sequence[PlateRead], now: datetime
    ) -> list[tuple[Followed | None, PlateRead]]:
        """Each read with the vehicle it continues, None for a new one; best pairs first, each
        vehicle and read once.
        """
        pairs = [
            (
                likeness(
                    one,
                    read,
                    now,
                    widths_per_s=self._numbers.widths_per_s,
                    gap_s=self._numbers.gap_s,
                ),
                v,
                r,
            )
            for v, one in enumerate(self._followed)
            for r, read in enumerate(reads)
        ]
        continued: dict[int, int] = {}
        for likely, v, r in sorted(pairs, reverse=True):
            if likely > 0 and r not in continued and v not in continued.values():
                continued[r] = v
        return [
            (self._followed[continued[r]] if r in continued else None, read)
            for r, read in enumerate(reads)
        ]
