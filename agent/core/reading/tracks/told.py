"""Remembers which texts were told, and where their vehicles were seen last, so that a standing car
is one sighting however often it is hidden.

In memory only, for minutes, and bounded: a restart forgets it (P1, P9). No picture is kept.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.reading.tracks.likeness import HALF, part_of, similarity
from agent.core.reading.tracks.motion import apart, grown
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import datetime

    from agent.core.reading.overlap import Box
    from agent.core.reading.tracks.motion import Motion

AT_ITS_PLACE = 1.0  # plate widths from where it was seen last
SAME_PLACE_SIZE = 1.5


@dataclass(slots=True)
class Told:
    """One text that was told, empty for a plate that nobody could read.

    `still`: it did not move when it was seen last; `stood`: it had stood there for a while by then.
    `released`: somebody was told of it.
    """

    text: str
    sure: bool
    box: Box
    seen: datetime
    still: bool
    stood: bool
    released: bool = False

    def moved(self, motion: Motion) -> None:
        """Its vehicle was seen again."""
        self.box, self.seen, self.still, self.stood = (
            motion.box,
            motion.at,
            motion.still,
            motion.stood,
        )


class Remembered:
    """What was told in the last minutes. Times come from the frames.

    `passing_s`: a text is not told again within that time, wherever its vehicle is seen.
    `standing_s`: nor at the place of a vehicle that stood still when it was seen last. At most
    `most` texts.
    """

    def __init__(self, passing_s: float, standing_s: float, most: int) -> None:
        self._passing, self._standing = timedelta(seconds=passing_s), timedelta(seconds=standing_s)
        self._most = most
        self._told: list[Told] = []

    def __len__(self) -> int:
        return len(self._told)

    def add(self, text: str, motion: Motion, *, sure: bool) -> Told:
        """A text is being told. Of too many, the longest unseen is forgotten."""
        told = Told(text, sure, motion.box, motion.at, motion.still, motion.stood)
        self._told = [one for one in self._told if one.text != text or not text]
        self._told.append(told)
        if len(self._told) > self._most:
            self._told.remove(min(self._told, key=lambda one: one.seen))
        return told

    def forget_old(self, now: datetime) -> None:
        """Forget what is too old, and what a clock that was set back puts into the future."""
        self._told = [
            one
            for one in self._told
            if timedelta(0) <= now - one.seen <= (self._standing if one.still else self._passing)
        ]

    def was_released(self, text: str) -> None:
        """Somebody was told of that text."""
        for one in self._told:
            one.released |= one.text == text

    def forget_dropped(self) -> None:
        """Keep only what somebody was told of."""
        self._told = [one for one in self._told if one.released]

    def same(self, text: str, motion: Motion, *, sure: bool) -> Told | None:
        """The entry of a vehicle whose very text was told, or at its place a longer one that this
        is a part of. What was told unsurely counts only for what is no surer now.
        """
        return next(
            (
                one
                for one in self._told
                if text
                and (one.text == text or (part_of(text, one.text) and _at_its_place(one, motion)))
                and (one.sure or not sure)
                and (
                    motion.at - one.seen <= self._passing
                    or (one.still and _at_its_place(one, motion))
                )
            ),
            None,
        )

    def alike(self, text: str, motion: Motion) -> Told | None:
        """The entry of a standing vehicle at this very place that this text may be a misread of."""
        return next(
            (
                one
                for one in self._told
                if _at_its_place(one, motion)
                and (
                    one.still and similarity(one.text, text) >= HALF
                    if text and one.text
                    else one.stood
                )
            ),
            None,
        )


def _at_its_place(one: Told, motion: Motion) -> bool:
    return apart(one.box, motion.box) <= AT_ITS_PLACE and grown(
        one.box, motion.box, SAME_PLACE_SIZE
    )
