"""Pulls the plate in a box straight along its corners, grey: what the recogniser is fed, and
where the signs of a whole plate are looked for.
"""

import math
from collections.abc import Sequence

import cv2
import numpy as np

from agent.core.reading.sighting import Image, PlateBox
from agent.light_meter import luminance
from agent.vision.aligner import convex_clockwise

LARGEST_STRAIGHTENED = 4  # times the input: bounds the work for a plate that fills the frame
# Of the corners' hull, that the part of the image worked on reaches beyond it at least.
SURROUNDINGS = 0.2

Corners = Sequence[tuple[float, float]]


def straightened(
    image: Image, box: PlateBox, sides: tuple[int, int], inset: tuple[float, float]
) -> Image:
    """The quadrilateral of the box's corners pulled straight, grey, `sides` wide and high in px,
    with the inset around it.
    """
    # Plain floats: on four corners numpy costs as much as the picture itself.
    corners = proper_corners(box)
    # A large plate is first pulled straight at a multiple of the input, then averaged down:
    # sampling it directly would alias.
    scale = min(max(1, int(math.dist(corners[0], corners[1]) / sides[0])), LARGEST_STRAIGHTENED)
    wide, high = sides[0] * scale, sides[1] * scale
    left = inset[0] * wide
    right = (1 - inset[0]) * wide
    top = inset[1] * high
    bottom = (1 - inset[1]) * high
    target = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    part, x0, y0 = around(image, corners, max(inset) / (1 - 2 * max(inset)))
    matrix = cv2.getPerspectiveTransform(
        np.array([(x - x0, y - y0) for x, y in corners], np.float32), target
    )
    straight = cv2.warpPerspective(
        luminance(part), matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(
        straight if scale == 1 else cv2.resize(straight, sides, interpolation=cv2.INTER_AREA),
        np.uint8,
    )


def around(image: Image, corners: Corners, least: float) -> tuple[Image, int, int]:
    """The part of the image that the corners' surroundings lie in, at least 1×1, and where it
    begins: x, y px. `least`: of the sides, that must lie in it.
    """
    height, width = image.shape[:2]
    (x0, x1), (y0, y1) = (
        stretch([corner[axis] for corner in corners], side, least)
        for axis, side in ((0, width), (1, height))
    )
    return image[y0:y1, x0:x1], x0, y0


def stretch(places: list[float], side: int, least: float) -> tuple[int, int]:
    """From the first to the last of them with a margin, in whole px, at least one and inside
    0–side.
    """
    low, high = min(places), max(places)
    margin = max(SURROUNDINGS, least) * (high - low) + 2
    first = min(max(0, math.floor(low - margin)), side - 1)
    return first, min(max(first + 1, math.ceil(high + margin)), side)


def proper_corners(box: PlateBox) -> Corners:
    """The box's corners when they make a convex quadrilateral, clockwise; else the upright
    box's.
    """
    xs, ys = [x for x, _ in box.corners], [y for _, y in box.corners]
    if convex_clockwise(xs, ys):
        return box.corners
    x, y, width, height = box.box
    width, height = max(width, 1.0), max(height, 1.0)
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


def aspect_of(box: PlateBox) -> float:
    """The plate's width over its height, along the corners."""
    a, b, c, d = proper_corners(box)
    return (math.dist(a, b) + math.dist(d, c)) / max(math.dist(a, d) + math.dist(b, c), 1e-3)
