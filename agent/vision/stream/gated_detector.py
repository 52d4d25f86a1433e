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

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, or found when it last looked."""
        changed = self._gate.changed(frame)
        if changed or self._due(frame.captured.utc):
            before, self._found = self._found, self._detector.find_plates(frame)
            self._looked = frame.captured.utc
            self._gate.looked(self._looked, news=not same(before, self._found))
        return self._found

    def _due(self, now: datetime) -> bool:
        return self._looked is None or not 0 <= (now - self._looked).total_seconds() < LOOK_EVERY_S


def same(before: Sequence[PlateBox], after: Sequence[PlateBox]) -> bool:
    """Whether each plate stands where one stood, and none has gone."""
    return len(before) == len(after) and all(
        any(overlap(one.box, other.box) >= SAME for other in before) for one in after
    )
