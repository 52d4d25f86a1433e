"""Puts things before a plate, of more shapes and surfaces than `python -m bench.limits` measures
with: posts, bars, balls, another car's body, dirt; of one colour, of the car's own, or textured.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.reading.sighting import Image
from bench import spoilt_plates
from bench.spoilt_plates import Corners

MEASURED = 0.4  # share of things just as the measure draws them
POST, BAR = (0.05, 0.3), (0.12, 0.5)  # of the plate's width; of its height
BLOB = (0.08, 0.35)  # of the plate's width


def hidden(rng: Generator, image: Image, corners: Corners) -> Image:
    """A copy with one thing before the plate, or rarely two."""
    return hidden_where(rng, image, corners)[0]


def hidden_where(
    rng: Generator, image: Image, corners: Corners
) -> tuple[Image, NDArray[np.float32]]:
    """The same, and where something is: H×W×1, 0–1."""
    seen, cover = _one(rng, image, corners)
    if rng.random() < 0.1:
        seen, more = _one(rng, seen, corners)
        cover = np.maximum(cover, more)
    return seen, cover


def _one(rng: Generator, image: Image, corners: Corners) -> tuple[Image, NDArray[np.float32]]:
    if rng.random() < MEASURED:
        if rng.random() < 0.5:
            side, share = spoilt_plates.drawn(rng)
            shape = spoilt_plates.beyond(corners, side, share)
        else:
            shape = spoilt_plates.post(rng, corners)
        return spoilt_plates.before(rng, image, shape)
    cover = _cover(rng, image.shape[:2], corners)
    thing = _surface(rng, image, corners)
    return (image * (1 - cover) + thing * cover).astype(np.uint8), cover


def _cover(rng: Generator, size: tuple[int, int], corners: Corners) -> np.ndarray:
    """Where the thing is, H×W×1, 0–1, its edge soft or hard."""
    cover = np.zeros(size, np.float32)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shape = rng.choice(["post", "bar", "blob", "beyond", "slanted", "bollard"])
    if shape == "blob":
        _blob(rng, cover, low, high)
    else:
        points = _outline(rng, str(shape), corners, low, high)
        leaning = points + rng.normal(0, 0.04, points.shape) * float(min(high - low))
        cv2.fillPoly(cover, [leaning.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    return cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.8))[:, :, None]


def _blob(rng: Generator, cover: np.ndarray, low: np.ndarray, high: np.ndarray) -> None:
    """A ball, a leaf, mud: anywhere on the plate."""
    wide, tall = high - low
    centre = low + rng.uniform(0, 1, 2) * (high - low)
    radius = wide * rng.uniform(*BLOB) / 2
    axes = (
        max(2, round(radius)),
        max(2, round(float(np.clip(radius * rng.uniform(0.5, 2), 0.2 * tall, tall)))),
    )
    at = (round(centre[0]), round(centre[1]))
    cv2.ellipse(cover, at, axes, rng.uniform(0, 180), 0, 360, 1.0, -1, cv2.LINE_AA)


def _outline(
    rng: Generator, shape: str, corners: Corners, low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Four corners."""
    size = high - low
    if shape == "beyond":
        side, share = spoilt_plates.drawn(rng)
        return spoilt_plates.beyond(corners, side, share)
    if shape == "bar":
        tall = size[1] * rng.uniform(*BAR)
        y = rng.uniform(low[1] - 0.5 * tall, high[1] - 0.5 * tall)
        x0 = low[0] - rng.uniform(-0.6, 2) * size[0]
        x1 = high[0] + rng.uniform(-0.6, 2) * size[0]
        return spoilt_plates.box(np.array([min(x0, x1), y]), np.array([max(x0, x1), y + tall]))
    wide = size[0] * rng.uniform(*POST)
    x = rng.uniform(low[0] - 0.3 * wide, high[0] - 0.7 * wide)
    above, below = rng.uniform(0.1, 3, 2) * size[1]
    if shape == "bollard":  # it ends on the plate, or just beyond it
        if rng.random() < 0.7:
            above = -rng.uniform(-0.3, 0.7) * size[1]
        else:
            below = -rng.uniform(-0.3, 0.7) * size[1]
    points = spoilt_plates.box(np.array([x, low[1] - above]), np.array([x + wide, high[1] + below]))
    if shape == "slanted":
        points[:2, 0] += rng.uniform(-0.5, 0.5) * size[0]
    return points


def _surface(rng: Generator, image: Image, corners: Corners) -> np.ndarray:
    """What the thing looks like, H×W×3: of a colour near the plate, or a piece of the picture."""
    height, width = image.shape[:2]
    low, high = corners.min(axis=0), corners.max(axis=0)
    if rng.random() < 0.5:
        side = rng.choice([-1, 1])
        at = (low + high) / 2 + side * (high - low) * np.array([rng.uniform(-1, 1), 0.8])
        x, y = (int(np.clip(v, 0, s - 3)) for v, s in zip(at, (width, height), strict=True))
        colour = image[y : y + 3, x : x + 3].reshape(-1, 3).mean(axis=0)
        ramp = np.linspace(rng.uniform(0.75, 1.0), rng.uniform(1.0, 1.25), width)[None, :, None]
        grain = rng.normal(0, rng.uniform(0.5, 4), (height, width, 1))
        return np.clip(colour * (ramp if rng.random() < 0.5 else 1.0) + grain, 0, 255)
    shift = rng.uniform(0.25, 0.75, 2) * (width, height)
    piece = np.roll(image, (int(shift[1]), int(shift[0])), (0, 1))
    if rng.random() < 0.5:
        piece = cv2.flip(piece, int(rng.integers(-1, 2)))
    return np.clip(piece * rng.uniform(0.4, 1.5) + rng.normal(0, 20), 0, 255)
