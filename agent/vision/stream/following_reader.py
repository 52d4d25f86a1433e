"""Pays once for a plate: what the tracker has told already is followed, not read again, and a plate
that stands still is read a few times, then when the detector has looked again.
"""

from agent.core.reading.sighting import Frame, PlateBox, PlateRead
from agent.ports import PlateReader
from agent.values import dataclass
from agent.vision.aligner import Known

# Of one look of the detector. More reads of a picture in which nothing moves say nothing new.
READS_A_LOOK = 8


@dataclass(frozen=True, slots=True)
class _Standing:
    """A box that the detector has not looked at anew, its last read, and how many there were."""

    box: PlateBox
    read: PlateRead
    times: int


class FollowingReader:
    """Implements ports.PlateReader over another, for one stream of frames.

    `known`: what the tracker knows of a box, None where it must be read (Tracker.known). A read
    that is given again is the same object: whoever counts reads can tell.
    """

    def __init__(self, reader: PlateReader, known: Known) -> None:
        self._reader, self._known = reader, known
        self._before: list[_Standing] = []  # of the last frame
        self._now: list[_Standing] = []
        self._sequence = -1

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """The box's text, as far as possible without reading it."""
        if frame.sequence != self._sequence:
            self._before, self._now, self._sequence = self._now, [], frame.sequence
        standing = next((one for one in self._before if one.box is box), None)
        known = self._known(frame, box)
        if known is not None:
            self._now += [standing] if standing else []  # it still counts as read so often
            return known
        if standing is None:
            standing = _Standing(box, self._reader.read(frame, box), 1)
        elif standing.times < READS_A_LOOK:
            standing = _Standing(box, self._reader.read(frame, box), standing.times + 1)
        self._now.append(standing)
        return standing.read
