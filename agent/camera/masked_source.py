"""Obeys the zones and masks that an installer drew: blackens what nobody may see, before anything
looks, and lets only plates in a zone count.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from agent.core.camera.view import EVERYTHING, MAX_BYTES, Polygon, View, parse_view
from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.disk.atomic_file import read_bounded
from agent.errors import StorageError
from agent.ports import FrameSource, PlateDetector


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
    """Implements ports.PlateDetector over another: only plates whose centre lies in a zone."""

    def __init__(self, detector: PlateDetector, view: View) -> None:
        self._detector, self._view = detector, view

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """What the other finds, without what lies outside."""
        found = self._detector.find_plates(frame)
        height, width = frame.image.shape[:2]
        return [plate for plate in found if self._view.counts(*_centre(plate, width, height))]


def masked(image: Image, masks: Sequence[Polygon]) -> Image:
    """A copy with the masks black; the edge's pixels included."""
    height, width = image.shape[:2]
    drawn = image.copy()
    cv2.fillPoly(
        drawn,
        [np.round(np.array(mask) * (width, height)).astype(np.int32) for mask in masks],
        (0, 0, 0),
    )
    return drawn


def _centre(plate: PlateBox, width: int, height: int) -> tuple[float, float]:
    x, y, wide, high = plate.box
    return (x + wide / 2) / width, (y + high / 2) / height
