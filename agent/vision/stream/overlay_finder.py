"""Finds text that is drawn over the picture: it stays the same, at a fixed place, while the scene
behind it moves on both sides. Such text is never sure (P10).

A parked car's plate stays as well, but then its surroundings are the car: they change when
something comes before them, which hides or darkens the plate too.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.overlap import Box
from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.core.reading.tracks.motion import apart, grown
from agent.core.reasons import Limit
from agent.light_meter import luminance
from agent.ports import PlateDetector
from agent.values import dataclass, field, replace

# What a detector's box trembles by: in plate widths, and as a ratio of widths.
IN_PLACE, SAME_SIZE = 0.1, 1.15
FROM, THICK = 0.3, 0.6  # the strips beside a plate: how far from it, and how thick, in its heights
MOVED = 16.0  # grey levels by which a strip's mean has changed
UNCHANGED = 4.0  # grey levels by which what the plate shows differs on average
INSIDE = (24, 6)  # blocks across and down in which it is compared
SCENES = 3  # so many different surroundings, and the text is over the scene
MOST = 32  # places in memory

Means = NDArray[np.float32]


@dataclass(slots=True)
class _Place:
    """Where a box was found, and how the picture was there and beside it when it was seen first.

    `sides`: mean levels of the strips left, right, above, below; NaN outside the picture. `scenes`:
    those that were unlike the first and unlike each other, while the text stayed the same.
    """

    box: Box
    inside: Means
    sides: Means
    scenes: list[Means] = field(default_factory=list)

    def look(self, grey: Image) -> None:
        """Is this one more scene around the same text?"""
        shown = inside(grey, self.box)
        if np.abs(shown - self.inside).mean() > UNCHANGED:
            return
        around = sides(grey, self.box)
        if moved_around(self.sides, around) and all(
            (np.abs(around - one) >= MOVED).any() for one in self.scenes
        ):
            self.scenes.append(around)


class OverlayFinder:
    """Implements ports.PlateDetector over another, for one stream of frames.

    Boxes on text over the scene have Limit.OVERLAY from the frame on in which that is sure.
    """

    def __init__(self, detector: PlateDetector) -> None:
        self._detector = detector
        self._places: list[_Place] = []
        # The last look. Only what stands in the same place twice is worth a place in memory.
        self._before: list[Box] = []
        self._grey: Image | None = None

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds."""
        grey = luminance(frame.image)  # once, for the detector as well
        found = self._detector.find_plates(replace(frame, image=grey))
        judged = [self._judged(box, grey) for box in found]
        self._before, self._grey = [box.box for box in found], grey
        return judged

    def _judged(self, box: PlateBox, grey: Image) -> PlateBox:
        place = next((one for one in self._places if _stands(one.box, box.box)), None)
        place = place or self._place(box.box)
        if place is None:
            return box
        if len(place.scenes) < SCENES:
            place.look(grey)
        if len(place.scenes) < SCENES:
            return box
        return replace(box, limits=box.limits | {Limit.OVERLAY})

    def _place(self, box: Box) -> _Place | None:
        """A new place, as the last look saw it; None for what is new or moves."""
        before = next((one for one in self._before if _stands(one, box)), None)
        if before is None or self._grey is None:
            return None
        place = _Place(before, inside(self._grey, before), sides(self._grey, before))
        self._places = [*self._places[-MOST + 1 :], place]
        return place


def _stands(one: Box, other: Box) -> bool:
    return apart(one, other) <= IN_PLACE and grown(one, other, SAME_SIZE)


def inside(grey: Image, box: Box) -> Means:
    """Mean levels of a box's blocks; zeros where nothing of it lies in the picture."""
    x, y, width, height = box
    part = _part(grey, x, y, x + width, y + height)
    if not part.size:
        return np.zeros(INSIDE[::-1], np.float32)
    return np.asarray(cv2.resize(part, INSIDE, interpolation=cv2.INTER_AREA), np.float32)


def sides(grey: Image, box: Box) -> Means:
    """Mean levels of the strips left, right, above and below a box; NaN where less than half of one
    lies in the picture.
    """
    x, y, width, height = box
    near, far = FROM * height, (FROM + THICK) * height
    strips = (
        (x - far, y, x - near, y + height),
        (x + width + near, y, x + width + far, y + height),
        (x, y - far, x + width, y - near),
        (x, y + height + near, x + width, y + height + far),
    )
    return np.array([_mean(grey, strip) for strip in strips], np.float32)


def moved_around(before: Means, after: Means) -> bool:
    """Has the scene changed on two sides that lie opposite each other? Where the picture ends on
    one of them, on the other and on one beside it.
    """
    gone, moved = np.isnan(before) | np.isnan(after), np.abs(after - before) >= MOVED
    pairs = ((0, 1), (2, 3))
    if any(moved[one] and moved[other] for one, other in pairs):
        return True
    return bool(gone.any()) and all(
        moved[one] or moved[other] for one, other in pairs if not (gone[one] and gone[other])
    )


def _mean(grey: Image, strip: tuple[float, float, float, float]) -> float:
    left, top, right, bottom = strip
    part = _part(grey, *strip)
    return float(part.mean()) if part.size >= 0.5 * (right - left) * (bottom - top) else np.nan


def _part(grey: Image, left: float, top: float, right: float, bottom: float) -> Image:
    height, width = grey.shape
    return grey[
        min(max(round(top), 0), height) : min(max(round(bottom), 0), height),
        min(max(round(left), 0), width) : min(max(round(right), 0), width),
    ]
