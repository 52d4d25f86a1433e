"""Lets the detector look only where there may be something new: when the picture has changed, and
once in a while.
"""

from collections.abc import Sequence
from datetime import datetime

from agent.core.reading.overlap import overlap
from agent.core.reading.sighting import Frame, PlateBox
from agent.ports import MotionGate, PlateDetector

# What came without a change that the gate could see (it creeps, it stood there when the camera
# started and was missed) is found after so long at the latest.
LOOK_EVERY_S = 4.0
# A plate that comes to rest while the detector misses it is found by one of a few more looks: a
# detector misses a doubtful plate in some frames, not in all. So long after the last change, where
# so many frames had changed: a car takes that many, a gust in a tree seldom.
LOOK_AGAIN_S = (0.4, 1.0, 2.0)
CAME = 3
SAME = 0.5  # intersection over union: a plate that stands where one stood


class GatedDetector:
    """Implements ports.PlateDetector over another.

    While nothing changes, the plates are where the last look found them: the same boxes, to the
    fraction of a pixel. Time is the frames'; one that goes back is a reason to look.
    """

    def __init__(self, detector: PlateDetector, gate: MotionGate) -> None:
        self._detector, self._gate = detector, gate
        self._found: Sequence[PlateBox] = ()
        self._looked: datetime | None = None
        self._changed: datetime | None = None
        # frames in a row that had changed, and how often it was looked again since
        self._changes = self._again = 0

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, or found when it last looked."""
        now = frame.captured.utc
        changed = self._gate.changed(frame)
        if changed:
            self._changes = self._changes + 1 if self._calm_s(now) < LOOK_AGAIN_S[0] else 1
            self._changed, self._again = now, 0
        if changed or self._due(now):
            before, self._found = self._found, self._detector.find_plates(frame)
            self._looked = now
            self._gate.looked(self._looked, news=not same(before, self._found))
        return self._found

    def _due(self, now: datetime) -> bool:
        if self._looked is None or not 0 <= (now - self._looked).total_seconds() < LOOK_EVERY_S:
            return True
        again = sum(self._calm_s(now) >= after_s for after_s in LOOK_AGAIN_S)
        due, self._again = again > self._again, max(again, self._again)
        return due and self._changes >= CAME

    def _calm_s(self, now: datetime) -> float:
        """Since the last change."""
        return (now - self._changed).total_seconds() if self._changed else 0.0


def same(before: Sequence[PlateBox], after: Sequence[PlateBox]) -> bool:
    """Whether each plate stands where one stood, and none has gone."""
    return len(before) == len(after) and all(
        any(overlap(one.box, other.box) >= SAME for other in before) for one in after
    )
