"""What the camera saw: the values that carry plates.

They never leave the camera's process in the clear (P2).
"""

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import PlateText
from agent.core.reasons import Limit
from agent.core.time.instant import Instant
from agent.values import dataclass, replace

Image = NDArray[np.uint8]
Point = tuple[float, float]
# The confidence of a limited sighting, at most: as likely another text as this one. Of a read too,
# but where something hides a part: how often that matters is measured.
MOST_WHEN_LIMITED = 0.5


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    `image`: H×W×3, BGR, uint8. `file`: the name to report in `read`, empty for a camera. `missed`:
    how many frames the camera took since the one before that nobody fetched in time.
    """

    image: Image
    captured: Instant
    sequence: int
    file: str = ""
    missed: int = 0


@dataclass(frozen=True, slots=True)
class PlateBox:
    """Where a plate is.

    `box`: x, y, width, height in px of the frame, upright.

    `corners`: four (x, y) in px, clockwise from the plate's own top left. `confidence`: 0–1.
    `rows`: lines of text, 1 or 2. `least_text`: confidence that its text must reach for the box to
    count as a plate at all; 0: it counts unread. `whole`: the picture is a cutting, this one plate
    and nothing else, if its text is legible; what else is found in it is a part of it. `limits`:
    why its text is never sure, as far as the place alone tells.
    """

    box: tuple[float, float, float, float]
    corners: tuple[Point, Point, Point, Point]
    confidence: float
    rows: int = 1
    least_text: float = 0.0
    whole: bool = False
    limits: frozenset[Limit] = frozenset()

    def moved_to(self, box: tuple[float, float, float, float]) -> "PlateBox":
        """The same plate where its upright box is that one."""
        (x, y, width, height), (new_x, new_y, new_width, new_height) = self.box, box
        across, down = new_width / max(width, 1e-6), new_height / max(height, 1e-6)
        first, second, third, fourth = (
            (new_x + (corner_x - x) * across, new_y + (corner_y - y) * down)
            for corner_x, corner_y in self.corners
        )
        return replace(self, box=box, corners=(first, second, third, fourth))


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another reading of the same crop, with its probability 0–1."""

    text: PlateText
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class PlateRead:
    """One plate read in one frame.

    `confidence`: probability 0–1 that every character is right; `char_confidence`: one per
    character. `alternatives`: other readings, likeliest first. `region`: "us", "eu", "uk", "br" or
    "unknown". `state`: issuing state or country code, None where it was not read (a match is then
    `text`, not `exact`). `crop`: copied BGR pixels of the plate with a margin; `sharpness`:
    variance of the Laplacian, for choosing the best crop. `network_text`: what the network alone
    would have read, where the prior over the regions' formats changed it; else None. `limits`: why
    the text is not sure however clear its characters are; `confidence` is then below 0.9, and for
    most of them at most MOST_WHEN_LIMITED. `stacked`: the text has characters that stand one above
    the other.
    """

    box: PlateBox
    text: PlateText
    confidence: float
    char_confidence: tuple[float, ...]
    alternatives: tuple[Alternative, ...]
    region: str
    state: str | None
    crop: Image
    sharpness: float
    captured: Instant
    network_text: PlateText | None = None
    limits: frozenset[Limit] = frozenset()
    stacked: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The reads of one vehicle as it passes, in order of time; at least one."""

    track_id: int
    reads: tuple[PlateRead, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One vehicle, once: the vote over a track.

    Fields as in PlateRead; `frames`: how many reads voted. `limits`: of the reads that voted; empty
    as soon as whole plates were read.
    """

    text: PlateText
    confidence: float
    char_confidence: tuple[float, ...]
    alternatives: tuple[Alternative, ...]
    region: str
    state: str | None
    crop: Image
    captured: Instant
    camera: str
    frames: int
    limits: frozenset[Limit] = frozenset()
