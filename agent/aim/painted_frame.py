"""Looks at a frame for an installer: every plate painted over but the test plate, and the numbers
of an aim.

Keeps nothing but where plates were just now.
"""

from collections import deque
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from agent.core.camera.aim_figures import Band, Light, band_for
from agent.core.camera.aim_survey import Sample
from agent.core.reading.overlap import Box, same_plate
from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Frame, Image, PlateRead
from agent.light_meter import edge_contrast, light_of, luminance
from agent.values import dataclass

# Width of the live picture. Most plates that every network missed are too small to read in it.
PICTURE_WIDTH_PX = 480
JPEG_QUALITY = 72
CROP_WIDTH_PX = 320  # of the test plate, as the camera sees it
MARGIN = 0.35  # of a plate's sides, painted over besides: boxes are not exact
REMEMBERED_FRAMES = 8  # a plate that is missed in one frame was found in another just before
INNER = 0.1  # of a plate's sides, left out of its meters: its frame is sharper than its characters
# Low, because no plate of a vehicle has its nine characters (docs/design/rehearsal.md).
TEST_CONFIDENCE = 0.2
FORGETS = 0.995  # of the best focus, a frame: a best from another scene fades

Finds = Callable[[Frame], Sequence[Box]]
Reads = Callable[[Frame], Sequence[PlateRead]]


@dataclass(frozen=True, slots=True)
class Seen:
    """One plate, without its text.

    `box`: x, y, width, height as shares of the frame. `test`: it is the test plate.
    """

    box: Box
    sample: Sample
    test: bool


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """One frame for the page.

    `jpeg`: small, plates painted over; `crop`: the test plate as the camera sees it, other plates
    painted over, JPEG, or empty.

    `width`, `height`: of the frame, px; `focus`: of the whole picture, 1.0 is the best of the last
    minutes; `light`: of the whole picture.
    """

    jpeg: bytes
    crop: bytes
    width: int
    height: int
    band: Band
    plates: tuple[Seen, ...]
    focus: float
    light: Light


class Looker:
    """`reads`: the plates of a frame, read; `finds`: everything that might be one, for painting
    over; `is_test`: the one text that may be seen.
    """

    def __init__(self, reads: Reads, finds: Finds, is_test: Callable[[PlateText], bool]) -> None:
        self._reads, self._finds, self._is_test = reads, finds, is_test
        self._recent: deque[tuple[Box, ...]] = deque(maxlen=REMEMBERED_FRAMES)
        self._best_focus = 0.0

    def look(self, frame: Frame) -> Look:
        """Everything about one frame. The frame itself is not kept."""
        height, width = frame.image.shape[:2]
        reads = self._reads(frame)
        tests = [
            read
            for read in reads
            if read.confidence >= TEST_CONFIDENCE and self._is_test(read.text)
        ]
        picture = self._painted(frame, reads, tests)
        grey = luminance(frame.image)
        return Look(
            jpeg=encoded(shrunk(picture, PICTURE_WIDTH_PX)),
            # from the painted picture: a neighbour's plate may stand within the margin
            crop=encoded(shrunk(part(picture, tests[0].box.box, MARGIN), CROP_WIDTH_PX))
            if tests
            else b"",
            width=width,
            height=height,
            band=band_for(width),
            plates=tuple(
                Seen(_shares(read.box.box, width, height), sample_of(grey, read), read in tests)
                for read in reads
            ),
            focus=self._focus(grey),
            light=light_of(grey),
        )

    def _painted(
        self, frame: Frame, reads: Sequence[PlateRead], tests: Sequence[PlateRead]
    ) -> Image:
        """A copy with every plate of this frame and the last few in one flat colour: nothing under
        it can be guessed back, as from a mosaic.
        """
        allowed = [read.box.box for read in tests]
        hidden = [read.box.box for read in reads if not any(read is test for test in tests)]
        hidden += [
            box for box in self._finds(frame) if not any(same_plate(box, one) for one in allowed)
        ]
        self._recent.append(tuple(hidden))
        drawn = frame.image.copy()
        for box in (box for boxes in self._recent for box in boxes):
            flatten(part(drawn, box, MARGIN))
        # The test plate is shown over what an earlier frame hid: the card was moved to where a
        # plate had been, or was not read at first.
        for box in allowed:
            part(drawn, box, 0.0)[:] = part(frame.image, box, 0.0)
        for box in hidden:  # and never over a plate of this frame
            flatten(part(drawn, box, 0.0))
        return drawn

    def _focus(self, grey: Image) -> float:
        """Sharpness of the middle of the picture against the best of the last minutes, 0–1: what a
        hand on the lens needs.
        """
        height, width = grey.shape
        middle = grey[height // 4 : height - height // 4, width // 4 : width - width // 4]
        _, edges = cv2.meanStdDev(cv2.Laplacian(middle, cv2.CV_16S))
        _, contrast = cv2.meanStdDev(middle)
        now = float(edges[0, 0] ** 2) / (float(contrast[0, 0] ** 2) + 1.0)
        self._best_focus = max(now, self._best_focus * FORGETS)
        return now / self._best_focus if self._best_focus > 0 else 0.0


def samples_of(frame: Frame, reads: Sequence[PlateRead]) -> tuple[float, tuple[Sample, ...]]:
    """For a survey: the picture's mean grey, and its plates as numbers."""
    grey = luminance(frame.image)
    return float(grey.mean()), tuple(sample_of(grey, read) for read in reads)


def sample_of(grey: Image, read: PlateRead) -> Sample:
    """One plate as numbers; its width along its own upper edge, as a skewed plate's is."""
    (x0, y0), (x1, y1) = read.box.corners[:2]
    inner = part(grey, read.box.box, -INNER)
    width_px = float(np.hypot(x1 - x0, y1 - y0))
    return Sample(width_px, width_px * edge_contrast(inner), light_of(inner), read.confidence)


def part(image: Image, box: Box, margin: float) -> Image:
    """The box with a margin (share of its sides), clipped to the image; at least 1×1.

    A view, not a copy.
    """
    height, width = image.shape[:2]
    x, y, wide, high = box
    x0, y0 = (
        min(max(0, int(start - size * margin)), most - 1)
        for start, size, most in ((x, wide, width), (y, high, height))
    )
    x1, y1 = (
        min(most, round(start + size * (1 + margin)))
        for start, size, most in ((x, wide, width), (y, high, height))
    )
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def flatten(area: Image) -> None:
    """Fill a part of a picture with its own mean colour, in place."""
    area[:] = np.asarray(cv2.mean(area)[:3]).round().astype(np.uint8)


def shrunk(image: Image, width_px: int) -> Image:
    """At most `width_px` wide, averaged down; never enlarged."""
    height, width = image.shape[:2]
    if width <= width_px:
        return image
    return np.asarray(
        cv2.resize(
            image,
            (width_px, max(1, round(height * width_px / width))),
            interpolation=cv2.INTER_AREA,
        ),
        np.uint8,
    )


def encoded(image: Image) -> bytes:
    """As a JPEG, in memory."""
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1].tobytes()


def _shares(box: Box, width: int, height: int) -> Box:
    x, y, wide, high = box
    return x / width, y / height, wide / width, high / height
