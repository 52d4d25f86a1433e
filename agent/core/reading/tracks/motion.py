"""Where a plate is in the picture, how it moves, and where it should be seen next.

Distances are in widths of the plate, so that near and far, small frames and large ones are alike.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from math import hypot

from agent.core.reading.overlap import Box, same_plate
from agent.values import dataclass, field

SMOOTHING_S = 0.05  # a detector's boxes tremble; a vehicle's speed does not
PREDICTED_S = 1.0  # nobody drives straight on for longer than that
# Not beside a plate, nor above it, but on it: in its widths across, in its heights down.
ACROSS, DOWN = 0.5, 0.75
# How an expectation grows vaguer with time, in widths, and with the way that was driven unseen:
# towards a camera all things speed up.
BLUR_PER_S, MOST_BLUR, BLUR_PER_WIDTH = 0.5, 1.5, 0.3
UNSEEN_PER_S, MOST_UNSEEN = 3.0, 1.0  # the same where it was seen once, and may go anywhere
SAME_SIZE = 1.5  # ratio of widths within which two boxes show one plate
STILL = 0.5  # widths a second; less is a detector's tremor
STOOD_S = 2.0
LEFT_S = 0.2  # unseen for so long, where it must have left the picture


@dataclass(slots=True)
class Motion:
    """One plate's place, as seen last. `velocity`: px a second, of the box's centre."""

    box: Box
    at: datetime
    since: datetime = field(init=False)
    start: tuple[float, float] = field(init=False)
    velocity: tuple[float, float] = (0.0, 0.0)
    known: bool = False  # was it seen twice, so that its velocity means something?

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Another vehicle stands here from now on."""
        self.since, self.start = self.at, centre(self.box)

    def saw(self, box: Box, now: datetime) -> None:
        """It was seen once more."""
        seconds = (now - self.at).total_seconds()
        if seconds > 0:
            (x, y), (last_x, last_y) = centre(box), centre(self.box)
            fresh = ((x - last_x) / seconds, (y - last_y) / seconds)
            share = seconds / (seconds + SMOOTHING_S) if self.known else 1.0
            (vx, vy), (fresh_x, fresh_y) = self.velocity, fresh
            self.velocity = (vx + share * (fresh_x - vx), vy + share * (fresh_y - vy))
            self.known = True
        self.box, self.at = box, now

    def from_last(self, box: Box) -> float:
        """How far a box lies from where this one was seen last."""
        return apart(box, self.box)

    def from_expected(self, box: Box, now: datetime) -> float:
        """How far a box lies from where this one should be now."""
        return apart(box, self.expected(now))

    def expected(self, now: datetime) -> Box:
        """Where it should be now."""
        seconds = min((now - self.at).total_seconds(), PREDICTED_S)
        x, y, width, height = self.box
        return x + self.velocity[0] * seconds, y + self.velocity[1] * seconds, width, height

    def fits(self, box: Box, now: datetime) -> bool:
        """Can it be this plate by its place, its motion and its size alone?"""
        seconds, expected = (now - self.at).total_seconds(), self.expected(now)
        if not grown(box, expected, SAME_SIZE):
            return same_plate(box, expected)  # a part of it
        return upon(box, expected, self._vagueness(expected, seconds))

    def covers(self, box: Box) -> bool:
        """Is a box where this one was seen last, however long ago that was?"""
        return upon(box, self.box)

    def left(self, size: tuple[int, int], now: datetime) -> bool:
        """Does its motion lead out of a picture of this height and width (px), and was it in it?"""
        return (
            self.known
            and (now - self.at).total_seconds() >= LEFT_S
            and _inside(centre(self.box), size)
            and self.leaves(size, now)
        )

    def leaves(self, size: tuple[int, int], now: datetime) -> bool:
        """Does its motion lead out of a picture of this height and width (px)?"""
        return not _inside(centre(self.expected(now)), size)

    @property
    def stood(self) -> bool:
        """Has it stayed within a plate's width of where it appeared, long enough to say so?"""
        return self.at - self.since >= timedelta(seconds=STOOD_S) and self._stayed

    @property
    def still(self) -> bool:
        """Was it at rest when it was seen last? A plate that was seen once may be."""
        return hypot(*self.velocity) <= STILL * max(self.box[2], 1.0)

    def _vagueness(self, expected: Box, seconds: float) -> float:
        """How far it may be from where it is expected, in widths, besides being on it."""
        if not self.known:
            return min(UNSEEN_PER_S * seconds, MOST_UNSEEN)
        return min(BLUR_PER_S * seconds + BLUR_PER_WIDTH * apart(expected, self.box), MOST_BLUR)

    @property
    def _stayed(self) -> bool:
        (x, y), (start_x, start_y) = centre(self.box), self.start
        return hypot(x - start_x, y - start_y) <= self.box[2]


def centre(box: Box) -> tuple[float, float]:
    """Of a box, in px."""
    x, y, width, height = box
    return x + width / 2, y + height / 2


def _inside(point: tuple[float, float], size: tuple[int, int]) -> bool:
    return 0 <= point[0] < size[1] and 0 <= point[1] < size[0]


def apart(one: Box, other: Box) -> float:
    """How many widths of the wider one lie between two boxes' centres."""
    (x, y), (other_x, other_y) = centre(one), centre(other)
    return hypot(x - other_x, y - other_y) / max(one[2], other[2], 1.0)


def upon(one: Box, other: Box, vagueness: float = 0.0) -> bool:
    """Do two boxes lie on one another, not side by side, but for so many widths?"""
    (x, y), (other_x, other_y) = centre(one), centre(other)
    width, height = max(one[2], other[2]), max(one[3], other[3])
    return (
        abs(x - other_x) <= (ACROSS + vagueness) * width
        and abs(y - other_y) <= DOWN * height + vagueness * width
    )


def grown(one: Box, other: Box, most: float) -> bool:
    """Are two boxes of about one size: is neither wider than the other by more than `most`?"""
    ratio = max(one[2], 1.0) / max(other[2], 1.0)
    return 1 / most <= ratio <= most
