"""Spoils a picture of a whole plate: the frame's edge or a mask cuts it, something stands before
it, it is mirrored.

What is left of the text is no plate's: whoever says it with confidence names another car.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.camera.view import Polygon
from agent.core.reading.sighting import Image

Corners = NDArray[np.float32]  # 4×2 px, clockwise from the plate's own top left
SIDES = ("left", "right", "top", "bottom")
# Of the plate's width or height, at a side: from a character's half to three characters.
ACROSS, DOWN = (0.06, 0.45), (0.15, 0.5)
POST = (0.05, 0.22)  # of the plate's width: a lamp post, a tow bar, in the middle


@dataclass(frozen=True, slots=True)
class Spoilt:
    """A picture and what was done to it.

    `how`: `whole`, `edge`, `mask`, `hidden`, `mirrored`; `masks`: in shares of the frame;
    `corners`: where the whole plate lies, be it outside.
    """

    how: str
    image: Image
    corners: Corners
    masks: tuple[Polygon, ...] = ()


Ways = Callable[[Generator, Image, Corners], Iterator[Spoilt]]


def ways(rng: Generator, image: Image, corners: Corners) -> Iterator[Spoilt]:
    """The picture as it is, then spoilt in each way once, at a side and by a share drawn anew."""
    yield from whole_and_hidden(rng, image, corners)
    side, share = drawn(rng)
    yield cut_off(image, corners, side, share)
    side, share = drawn(rng)
    yield masked_off(image, corners, side, share)
    yield mirrored(image, corners)


def whole_and_hidden(rng: Generator, image: Image, corners: Corners) -> Iterator[Spoilt]:
    """As it is; with something over one side; with a post before it."""
    yield Spoilt("whole", image, corners)
    side, share = drawn(rng)
    yield Spoilt("hidden", covered(rng, image, beyond(corners, side, share)), corners)
    yield Spoilt("hidden", covered(rng, image, post(rng, corners)), corners)


def drawn(rng: Generator) -> tuple[str, float]:
    """A side, mostly left or right, and the share of the plate that is lost there."""
    side = SIDES[int(rng.choice(4, p=[0.35, 0.35, 0.15, 0.15]))]
    return side, float(rng.uniform(*(ACROSS if side in SIDES[:2] else DOWN)))


def cut_off(image: Image, corners: Corners, side: str, share: float) -> Spoilt:
    """The frame ends inside the plate."""
    height, width = image.shape[:2]
    x0, y0, x1, y1 = 0, 0, width, height
    at = line(corners, side, share)
    if side == "left":
        x0 = int(at)
    elif side == "right":
        x1 = int(np.ceil(at))
    elif side == "top":
        y0 = int(at)
    else:
        y1 = int(np.ceil(at))
    part = np.ascontiguousarray(image[max(0, y0) : y1, max(0, x0) : x1])
    return Spoilt("edge", part, corners - np.float32([max(0, x0), max(0, y0)]))


def masked_off(image: Image, corners: Corners, side: str, share: float) -> Spoilt:
    """A mask reaches into the plate. The caller blackens it, as a camera does."""
    height, width = image.shape[:2]
    at = line(corners, side, share) / (width if side in SIDES[:2] else height)
    x0, y0, x1, y1 = 0.0, 0.0, 1.0, 1.0
    if side == "left":
        x1 = at
    elif side == "right":
        x0 = at
    elif side == "top":
        y1 = at
    else:
        y0 = at
    x0, y0, x1, y1 = (float(min(1.0, max(0.0, value))) for value in (x0, y0, x1, y1))
    return Spoilt("mask", image, corners, (((x0, y0), (x1, y0), (x1, y1), (x0, y1)),))


def mirrored(image: Image, corners: Corners) -> Spoilt:
    """Left is right: a camera's wrong setting, a shop window."""
    swapped = corners[[1, 0, 3, 2]] * np.float32([-1, 1]) + np.float32([image.shape[1], 0])
    return Spoilt("mirrored", np.ascontiguousarray(image[:, ::-1]), swapped)


def line(corners: Corners, side: str, share: float) -> float:
    """Where an upright or level line cuts that share off the plate's box, px."""
    axis = 0 if side in SIDES[:2] else 1
    low, high = float(corners[:, axis].min()), float(corners[:, axis].max())
    return low + share * (high - low) if side in ("left", "top") else high - share * (high - low)


def beyond(corners: Corners, side: str, share: float) -> Corners:
    """What covers that share of the plate and much of what lies beyond it there."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = high - low
    start, end = low - 0.5 * size, high + 0.5 * size
    at = line(corners, side, share)
    axis = 0 if side in SIDES[:2] else 1
    if side in ("left", "top"):
        start[axis], end[axis] = low[axis] - 1.2 * size[axis], at
    else:
        start[axis], end[axis] = at, high[axis] + 1.2 * size[axis]
    return box(start, end)


def post(rng: Generator, corners: Corners) -> Corners:
    """A post across the plate, anywhere between its ends."""
    low, high = corners.min(axis=0), corners.max(axis=0)
    size = high - low
    wide = size[0] * rng.uniform(*POST)
    x = rng.uniform(low[0] - 0.3 * wide, high[0] - 0.7 * wide)
    return box(
        np.array([x, low[1] - rng.uniform(0.2, 3) * size[1]]),
        np.array([x + wide, high[1] + rng.uniform(0.2, 3) * size[1]]),
    )


def box(start: NDArray[np.floating], end: NDArray[np.floating]) -> Corners:
    """Four corners of an upright box."""
    return np.float32([start, [end[0], start[1]], end, [start[0], end[1]]])


def covered(rng: Generator, image: Image, shape: Corners) -> Image:
    """A copy with something before it: of one colour or with streaks, leaning, its edge soft or
    hard.
    """
    return before(rng, image, shape)[0]


def before(rng: Generator, image: Image, shape: Corners) -> tuple[Image, NDArray[np.float32]]:
    """The same, and where the thing is: H×W×1, 0–1."""
    height, width = image.shape[:2]
    size = shape.max(axis=0) - shape.min(axis=0)
    leaning = shape + rng.normal(0, 0.03, (4, 2)).astype(np.float32) * float(min(size))
    cover = np.zeros((height, width), np.float32)
    cv2.fillPoly(cover, [leaning.round().astype(np.int32)], 1.0, cv2.LINE_AA)
    cover = cv2.GaussianBlur(cover, (0, 0), rng.uniform(0.4, 1.6))[:, :, None]
    level = rng.uniform(10, 235)
    colour = np.clip(level + rng.normal(0, 15, 3), 0, 255)
    streaks = cv2.resize(
        rng.normal(1, rng.uniform(0.02, 0.3), (1, int(rng.integers(3, 30)))).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )[:, :, None]
    grain = rng.normal(0, rng.uniform(1, 5), (height, width, 1))
    thing = np.clip(streaks * colour + grain, 0, 255)
    return (image * (1 - cover) + thing * cover).astype(np.uint8), cover
