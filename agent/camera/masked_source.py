"""Obeys the zones and masks that an installer drew: blackens what nobody may see, before anything
looks, lets only plates in a zone count, and says which of them a mask may cut.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.camera.view import EVERYTHING, MAX_BYTES, Polygon, View, parse_view
from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.core.reasons import Limit
from agent.disk.atomic_file import read_bounded
from agent.errors import StorageError
from agent.ports import FrameSource, PlateDetector
from agent.values import replace

# Of a plate's height: a plate this near to a mask may go on behind it.
NEAR_MASK = 0.25
STEPS = 16  # points looked at along each side of a plate


def load_view(path: Path) -> View:
    """The shapes in force; everything where none were drawn.

    Raises StorageError and EnvelopeRefusedError: a camera must not guess where it may look.
    """
    try:
        return parse_view(read_bounded(path, MAX_BYTES), str(path))
    except StorageError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return EVERYTHING
        raise


class MaskedSource:
    """Implements ports.FrameSource over another: masks are black in every frame."""

    def __init__(self, source: FrameSource, view: View) -> None:
        self._source, self._view = source, view

    def frames(self) -> Iterator[Frame]:
        """The frames, masked; those of the other are not kept."""
        for frame in self._source.frames():
            yield (
                replace(frame, image=masked(frame.image, self._view.masks))
                if self._view.masks
                else frame
            )

    def close(self) -> None:
        """Close the other."""
        self._source.close()


class ZonedDetector:
    """Implements ports.PlateDetector over another: only plates whose centre lies in a zone; those
    that touch a mask are marked.
    """

    def __init__(self, detector: PlateDetector, view: View) -> None:
        self._detector, self._view = detector, view

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, without what lies outside."""
        height, width = frame.image.shape[:2]
        masks = [_in_px(mask, width, height) for mask in self._view.masks]
        return [
            replace(plate, limits=plate.limits | {Limit.CUT_BY_MASK})
            if any(touches(plate, mask) for mask in masks)
            else plate
            for plate in self._detector.find_plates(frame)
            if self._view.counts(*_centre(plate, width, height))
        ]


def touches(plate: PlateBox, mask: NDArray[np.float32]) -> bool:
    """Does the plate come near to a mask, N×2 px, cross it, or lie around it?"""
    margin = NEAR_MASK * plate.box[3]
    corners = np.array(plate.corners, np.float32)
    steps = np.linspace(0, 1, STEPS, endpoint=False, dtype=np.float32)[:, None]
    sides = [
        start + steps * (end - start)
        for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True)
    ]
    return any(
        cv2.pointPolygonTest(mask, point, measureDist=True) >= -margin
        for point in np.concatenate(sides).tolist()
    ) or any(
        cv2.pointPolygonTest(corners, point, measureDist=False) >= 0 for point in mask.tolist()
    )


def masked(image: Image, masks: Sequence[Polygon]) -> Image:
    """A copy with the masks black; the edge's pixels included."""
    height, width = image.shape[:2]
    drawn = image.copy()
    cv2.fillPoly(
        drawn,
        [np.round(_in_px(mask, width, height)).astype(np.int32) for mask in masks],
        (0, 0, 0),
    )
    return drawn


def _in_px(mask: Polygon, width: int, height: int) -> NDArray[np.float32]:
    """N×2 px of a frame of that size."""
    return np.array(mask, np.float32) * np.array((width, height), np.float32)


def _centre(plate: PlateBox, width: int, height: int) -> tuple[float, float]:
    x, y, wide, high = plate.box
    return (x + wide / 2) / width, (y + high / 2) / height
