"""Pixels to grey, and grey to numbers: how light, how sharp, how much alike.

For the networks, the installer's meters, `doctor`, and the standing alarms.
"""

import math

import cv2
import numpy as np

from agent.core.camera.aim_figures import Light
from agent.core.camera.standing_alarms import EDGES_ACROSS, EDGES_DOWN, Look, Tile
from agent.core.reading.sighting import Image

CLIPPED = 250
TILES = 4  # along each side
LEAST_TILE_PX = 5
LEAST_CONTRAST = 25.0
EDGES_FROM_PX = 640  # width from which edges are taken: noise is averaged away before


def luminance(image: Image) -> Image:
    """H×W of an H×W×3 BGR image; an H×W image as it is."""
    return (
        image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    )


def light_of(grey: Image) -> Light:
    """Mean, contrast between the dark and the bright tenth, and the share of clipped pixels."""
    # These are 256 sums in place of sorting two million pixels.
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)
    reached = np.cumsum(counts) / grey.size
    low, high = np.searchsorted(reached, [0.1, 0.9])
    return Light(
        float((counts * np.arange(256)).sum()) / grey.size,
        float(high - low),
        float(counts[CLIPPED:].sum()) / grey.size,
    )


def edge_contrast(grey: Image) -> float:
    """How much of the contrast between strokes and ground is passed within two pixels, 0–1, across
    and down, the worse of both.

    A blur along either direction shows, and a pale or dark plate is not called blurred for it.
    Strong noise reads as sharpness.
    """
    if min(grey.shape) < LEAST_TILE_PX:
        return 0.0
    levels = grey.astype(np.float32)
    low, high = np.percentile(levels, [5, 95])
    if high - low < 8:  # nothing but noise
        return 0.0
    across = np.percentile(np.abs(levels[:, 2:] - levels[:, :-2]), 97)
    down = np.percentile(np.abs(levels[2:] - levels[:-2]), 97)
    return float(min(1.0, min(across, down) / (high - low)))


def sharpest(grey: Image) -> float:
    """The sharpest of the picture's tiles: sky and road are smooth in every lens.

    In a tile without contrast noise would pass for sharpness.
    """
    telling = [tile for tile in tiles(grey) if light_of(tile).contrast >= LEAST_CONTRAST]
    return max((edge_contrast(tile) for tile in telling), default=edge_contrast(grey))


def tiles(grey: Image) -> list[Image]:
    """Sixteen parts, row by row; a few more at the edges where the sides are no multiples."""
    height, width = (max(LEAST_TILE_PX, side // TILES) for side in grey.shape)
    return [
        grey[y : y + height, x : x + width]
        for y in range(0, grey.shape[0], height)
        for x in range(0, grey.shape[1], width)
    ]


def look_at(grey: Image) -> Look:
    """All that the standing alarms need of one picture.

    Nothing in it can be made into a picture again: a cell is as wide as a plate.
    """
    parts = tuple(_tile(part) for part in tiles(grey))
    return Look(light_of(grey), parts, edges(grey))


def _tile(grey: Image) -> Tile:
    contrast = light_of(grey).contrast
    return Tile(contrast, edge_contrast(grey) if contrast >= LEAST_CONTRAST else 0.0)


def edges(grey: Image) -> tuple[float, ...]:
    """How much edge there is in each of 32×18 cells, less the mean, of length 1: alike by day and
    by night as far as the same things are seen.
    """
    height = max(EDGES_DOWN, round(grey.shape[0] * EDGES_FROM_PX / grey.shape[1]))
    small = cv2.GaussianBlur(
        cv2.resize(grey, (EDGES_FROM_PX, height), interpolation=cv2.INTER_AREA), (0, 0), 1.5
    )
    strength = np.abs(cv2.Sobel(small, cv2.CV_32F, 1, 0)) + np.abs(
        cv2.Sobel(small, cv2.CV_32F, 0, 1)
    )
    cells = cv2.resize(np.sqrt(strength), (EDGES_ACROSS, EDGES_DOWN), interpolation=cv2.INTER_AREA)
    cells -= cells.mean()
    length = math.sqrt(np.square(cells, dtype=np.float64).sum())
    return tuple((cells / length).ravel().tolist()) if length > 0 else (0.0,) * cells.size
