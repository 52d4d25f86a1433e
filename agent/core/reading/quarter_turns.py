"""Turns a picture by quarters, and brings what was read in it back to where it lay before: for
stills, which people take lying or upside down.
"""

from collections.abc import Sequence

import numpy as np

from agent.core.reading.sighting import Frame, PlateRead, Point
from agent.values import dataclass, replace

QUARTERS = (90, 180, 270)  # degrees clockwise
# Of 80 drawn plates that stood upside down one was read so surely, and 53 of 80 that stood upright.
UPRIGHT = 0.9
SURE_ENOUGH = 0.5  # as likely right as wrong, and what a limited read has at most


@dataclass(frozen=True, slots=True)
class StillReads:
    """What was read in one picture, its places in px of the picture as given.

    `turned`: by so many degrees clockwise the picture was turned to read it; 0: it was not.
    """

    reads: Sequence[PlateRead]
    turned: int = 0


def turned(frame: Frame, degrees: int) -> Frame:
    """The picture, turned clockwise by a multiple of 90°."""
    image = np.ascontiguousarray(frame.image)
    # A pixel moves as one item: by its three bytes, numpy takes four times as long.
    pixels = image.view(f"V{image[0, 0].nbytes}").reshape(image.shape[:2])
    moved = np.ascontiguousarray(np.rot90(pixels, -degrees // 90))
    shape = (*moved.shape, *image.shape[2:])
    return replace(frame, image=moved.view(image.dtype).reshape(shape))


def turned_back(read: PlateRead, degrees: int, width: int, height: int) -> PlateRead:
    """A read of the turned picture, as it lies in the one of `width` × `height` px.

    Corners stay clockwise from the plate's own top left. The crop stays as it was read.
    """
    corners = [_back(corner, degrees, width, height) for corner in read.box.corners]
    x, y, wide, high = read.box.box
    sides = [_back(point, degrees, width, height) for point in ((x, y), (x + wide, y + high))]
    (left, right), (top, bottom) = (sorted(along) for along in zip(*sides, strict=True))
    first, second, third, fourth = corners
    return replace(
        read,
        box=replace(
            read.box,
            box=(left, top, right - left, bottom - top),
            corners=(first, second, third, fourth),
        ),
    )


def surest(reads: Sequence[PlateRead]) -> float:
    """The highest confidence; 0 where there is none."""
    return max((read.confidence for read in reads), default=0.0)


def _back(point: Point, degrees: int, width: int, height: int) -> Point:
    x, y = point
    return {90: (y, height - x), 180: (width - x, height - y), 270: (width - y, x)}[degrees]
