"""The street without anybody: asphalt, marks, kerbs, verges, houses; seen by the clip's lens."""

import cv2
import numpy as np
from numpy.random import Generator

from agent.core.reading.sighting import Image
from bench.clips.lens import Lens

FAR_M, NEAR_M = 90.0, 3.0
KERB_M = 4.2


def street(lens: Lens, rng: Generator) -> Image:
    """H×W×3 BGR at noon; the same for the same generator state."""
    height, width = lens.height_px, lens.width_px
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (215, 205, 190)  # sky, where any is seen
    ground = rng.uniform(-10, 10, (height // 8, width // 8)).astype(np.float32)
    _strip(picture, lens, -60, 60, (84, 110, 92))  # verge
    _houses(picture, lens, rng)
    _strip(picture, lens, -KERB_M - 0.4, KERB_M + 0.4, (135, 140, 142))
    _strip(picture, lens, -KERB_M, KERB_M, (92, 94, 96))
    for near in np.arange(NEAR_M, FAR_M, 6.0):
        _strip(picture, lens, -0.06, 0.06, (205, 210, 212), near, min(near + 3, FAR_M))
    grain = cv2.resize(ground, (width, height)) + rng.normal(0, 4, (height, width))
    return np.clip(picture + grain[:, :, None], 0, 255).astype(np.uint8)


def _strip(
    picture: Image,
    lens: Lens,
    left_m: float,
    right_m: float,
    colour: tuple[int, int, int],
    near_m: float = NEAR_M,
    far_m: float = FAR_M,
) -> None:
    """A stripe of the ground along the road."""
    edge = [(left_m, 0, near_m), (right_m, 0, near_m), (right_m, 0, far_m), (left_m, 0, far_m)]
    quad = lens.project(np.array(edge, float))
    cv2.fillPoly(picture, [np.round(quad * 16).astype(np.int32)], colour, cv2.LINE_AA, 4)


def _houses(picture: Image, lens: Lens, rng: Generator) -> None:
    """Fronts beside the road, with bright windows; most lenses see none of them."""
    for z in np.arange(24.0, FAR_M, 9.0)[::-1]:
        for side in (-1, 1):
            near, far = side * rng.uniform(6.0, 7.5), side * 16.0
            tone = int(rng.integers(105, 165))
            _front(picture, lens, (near, far), z, rng.uniform(5, 9), (tone - 12, tone, tone + 6))
            for x in np.linspace(near, far, 5)[1:-1]:
                _front(picture, lens, (x - 0.5, x + 0.5), z, 3.4, (tone + 46, tone + 40, tone + 34))


def _front(
    picture: Image,
    lens: Lens,
    sides_m: tuple[float, float],
    z_m: float,
    top_m: float,
    colour: tuple[int, int, int],
) -> None:
    (left, right), low = sides_m, 0.0 if top_m > 4 else 1.8
    edge = [(left, top_m, z_m), (right, top_m, z_m), (right, low, z_m), (left, low, z_m)]
    quad = lens.project(np.array(edge, float))
    cv2.fillPoly(picture, [np.round(quad).astype(np.int32)], colour, cv2.LINE_AA)
