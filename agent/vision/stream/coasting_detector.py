"""Lets the detector rest for a tenth of a second while every plate in view is known: a vehicle that
was told moves on as it did.

A vehicle that comes into view meanwhile is found a tenth of a second later at most, and then every
frame is looked at until it is known as well. A plate that must be read is looked at first.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.core.reading.sighting import Frame, PlateBox
from agent.ports import PlateDetector
from agent.vision.aligner import Known

if TYPE_CHECKING:
    from datetime import datetime

# From the last look to a frame that is looked at in any case. Of 15 frames a second every second
# one is, of 10 and fewer each.
REST_S = 0.1

Coasted = Callable[[Frame], Sequence[PlateBox]]


class CoastingDetector:
    """Implements ports.PlateDetector over another, for one stream of frames.

    `known`, `coasted`: what the tracker knows of a box, and where what it saw last should be now
    (Tracker.known, Tracker.coasted). Time is the frames'.
    """

    def __init__(self, detector: PlateDetector, known: Known, coasted: Coasted) -> None:
        self._detector, self._known, self._coasted = detector, known, coasted
        self._rests_from: datetime | None = None  # the last look, where it may rest

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, or where what it found last should be."""
        now, last = frame.captured.utc, self._rests_from
        if last is not None and 0 < (now - last).total_seconds() < REST_S:
            coasted = self._coasted(frame)
            if self._all_known(frame, coasted):
                return coasted
        found = self._detector.find_plates(frame)
        self._rests_from = now if self._all_known(frame, found) else None
        return found

    def _all_known(self, frame: Frame, boxes: Sequence[PlateBox]) -> bool:
        """Is there a plate, and none that must be read?"""
        return bool(boxes) and all(self._known(frame, box) is not None for box in boxes)
