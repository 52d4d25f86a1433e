"""Proposes what is unlikely to be a plate in a few frames a second only, unless a vehicle that was
just seen should be there.

Most proposals of a busy street are of this kind: lamps, grilles, letters on a van. Each costs a
look of the aligner, in every frame. A plate that the proposer doubts all the time is in view for
longer than it takes to be looked at once, and from then on the tracker awaits it.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from agent.core.reading.sighting import Frame, PlateBox
from agent.ports import PlateDetector

if TYPE_CHECKING:
    from datetime import datetime

LIKELY = 0.1  # three in four proposals of dense traffic have less, and hardly a plate has
UNLIKELY_EVERY_S = 0.15

Awaits = Callable[[Frame, PlateBox], bool]


class SparingProposer:
    """Implements ports.PlateDetector over another, for one stream of frames.

    `awaits`: whether a vehicle that was just seen may be where a box is (Tracker.awaits). Time is
    the frames'; one that goes back is a reason to propose everything.
    """

    def __init__(self, proposer: PlateDetector, awaits: Awaits) -> None:
        self._proposer, self._awaits = proposer, awaits
        self._everything: datetime | None = None  # when all of them were proposed last

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, or what is likely of it."""
        found, now, last = self._proposer.find_plates(frame), frame.captured.utc, self._everything
        if last is None or not 0 <= (now - last).total_seconds() < UNLIKELY_EVERY_S:
            self._everything = now
            return found
        return [one for one in found if one.confidence >= LIKELY or self._awaits(frame, one)]
