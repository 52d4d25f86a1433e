"""Draws a picture into a quadrilateral of a frame, as a lens would show it: without aliasing, with
motion blur.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image

LEAST_SIDE_PX = 16
LEAST_SMEAR_PX = 0.6
SHARP = 2  # plates are drawn this much larger, then averaged, so that thin strokes stay thin

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A BGRA picture, and its halves: the one is drawn that is just large enough."""

    levels: tuple[Image, ...]

    @classmethod
    def of(cls, picture: Image) -> "Pyramid":
        """From H×W×4 BGRA, or H×W×3 BGR without holes."""
        if picture.shape[2] == 3:
            picture = np.dstack([picture, np.full(picture.shape[:2], 255, np.uint8)])
        levels = [picture]
        while min(levels[-1].shape[:2]) >= 2 * LEAST_SIDE_PX:
            height, width = levels[-1].shape[:2]
            levels.append(
                cv2.resize(levels[-1], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
            )
        return cls(tuple(levels))

    def at_least(self, width_px: float) -> Image:
        """The smallest level that is this wide, or the largest."""
        fitting = [level for level in self.levels if level.shape[1] >= width_px]
        return fitting[-1] if fitting else self.levels[0]


def draw(
    canvas: Image,
    pyramid: Pyramid,
    quad: Points,
    smear_px: Sequence[float] = (0.0, 0.0),
    *,
    sharp: bool = False,
) -> None:
    """Blend the picture into `canvas`, in place.

    `quad`: 4×2 px, clockwise from the picture's top left. `smear_px`: the way that it moves while
    the shutter is open. `sharp`: average several points a pixel.
    """
    reach = np.abs(np.asarray(smear_px)) / 2 + 2
    low = np.maximum(np.floor(quad.min(0) - reach), 0).astype(int)
    high = np.minimum(np.ceil(quad.max(0) + reach), canvas.shape[1::-1]).astype(int)
    if (high <= low).any():
        return
    finer = SHARP if sharp else 1
    source = pyramid.at_least(finer * float(np.ptp(quad[:, 0])))
    height, width = source.shape[:2]
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    # Pixel centres lie at whole numbers for OpenCV, at halves for us.
    target = ((quad - low) * finer).astype(np.float32) - 0.5
    matrix = cv2.getPerspectiveTransform(corners - 0.5, target)
    size = (high - low) * finer
    placed = cv2.warpPerspective(source, matrix, (int(size[0]), int(size[1])))
    if sharp:
        size = high - low
        placed = cv2.resize(placed, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    blend(canvas[low[1] : high[1], low[0] : high[0]], smeared(placed, smear_px))


def smeared(picture: Image, smear_px: Sequence[float]) -> Image:
    """Motion blur along a line."""
    length = hypot(*smear_px)
    if length < LEAST_SMEAR_PX:
        return picture
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    steps = np.linspace(-0.5, 0.5, 4 * side)
    for step in steps:  # each point of the way, shared out over the pixels around it
        x, y = side // 2 + step * smear_px[0], side // 2 + step * smear_px[1]
        left, top = int(np.floor(x)), int(np.floor(y))
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            if 0 <= column < side and 0 <= row < side:
                kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return np.asarray(cv2.filter2D(picture, -1, kernel / kernel.sum()), np.uint8)


def blend(under: Image, over: Image) -> None:
    """Lay BGRA over BGR, in place."""
    alpha = over[:, :, 3:].astype(np.uint16)
    mixed = over[:, :, :3] * alpha + under * (255 - alpha) + 127
    under[:] = (mixed // 255).astype(np.uint8)
