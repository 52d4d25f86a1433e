"""Pictures of plates with things before them, drawn without end, and where these things are.

A sample for wholeness.onnx must be read, which takes ten times as long as drawing it, and says of
the thing in the picture only that the text is wrong. Here things are drawn over kept pictures of
whole plates, and each pixel's answer is known.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.reading.sighting import Image
from agent.vision.grey import standardised
from agent.vision.whole.wholeness import AROUND, AROUND_HEIGHT_PX, AROUND_WIDTH_PX
from bench.spoilt_plates import Corners, box
from models.training.whole.hiding import hidden_where

BATCH = 64
HIDDEN = 0.65  # share of pictures with something before the plate
BESIDE = 0.25  # of these: the thing is drawn as before another plate, which is moved so far
MOVED = (0.7, 1.0)  # of the plate's width and height, at most
FINE, COARSE = 8, 16  # px a cell
SIZE = np.float32([AROUND_WIDTH_PX, AROUND_HEIGHT_PX])
LOW, HIGH = SIZE * np.float32(AROUND), SIZE * (1 - np.float32(AROUND))  # the plate's box
TEXT = (slice(32, 66), slice(41, 151))  # where its characters are
HIDES, HIDES_NOT = 0.03, 0.002  # of that part
TO_WHAT_IS_SEEN = 0.5  # chance, by side, that the corners were found on the thing's edge
LEAST_SEEN = 0.35  # of the plate's width and height
ASTRAY = 0.025  # of the plate's sides, by which corners are off
UNKNOWN = -1.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """`pictures` N×1×96×192, standardised; `fine` N×12×24 and `coarse` N×6×12: how much of each
    cell a thing covers, 0–1; `hides` N: whether it covers characters, or UNKNOWN.
    """

    pictures: NDArray[np.float32]
    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    hides: NDArray[np.float32]


def lessons(seed: int, whole: NDArray[np.uint8]) -> Iterator[Lesson]:
    """Batches. `whole`: N×96×192, kept pictures of whole plates."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = [one(rng, whole[int(rng.integers(len(whole)))]) for _ in range(BATCH)]
        pictures, covers, hides = zip(*drawn, strict=True)
        cover = np.stack(covers)
        yield Lesson(
            np.stack([standardised(picture) for picture in pictures])[:, None],
            by_cell(cover, FINE),
            by_cell(cover, COARSE),
            np.float32(hides),
        )


def by_cell(cover: NDArray[np.float32], px: int) -> NDArray[np.float32]:
    """The mean of each cell."""
    count, height, width = cover.shape
    return cover.reshape(count, height // px, px, width // px, px).mean((2, 4))


def one(rng: Generator, whole: Image) -> tuple[Image, NDArray[np.float32], float]:
    """The picture, where something covers it, and whether that hides characters."""
    seen, cover = whole, np.zeros(whole.shape, np.float32)
    corners = box(LOW, HIGH)
    if rng.random() < HIDDEN:
        coloured = cv2.cvtColor(whole, cv2.COLOR_GRAY2BGR)
        beside = rng.random() < BESIDE
        moved = rng.uniform(-1, 1, 2) * MOVED * (HIGH - LOW) if beside else np.zeros(2)
        hidden, where = hidden_where(rng, coloured, corners + np.float32(moved))
        seen, cover = cv2.cvtColor(hidden, cv2.COLOR_BGR2GRAY), where[:, :, 0]
    lost = float(cover[TEXT].mean())
    hides = 1.0 if lost > HIDES else 0.0 if lost < HIDES_NOT else UNKNOWN
    framed = frame(rng, cover)
    seen, cover = (pulled(picture, framed) for picture in (photographed(rng, seen), cover))
    return seen, cover, hides


def frame(rng: Generator, cover: NDArray[np.float32]) -> Corners:
    """Where the aligner finds the plate's box: where it is, or what is seen of it; never quite."""
    found = np.stack([LOW, HIGH])
    x0, y0, x1, y1 = (int(value) for value in (*LOW, *HIGH))
    part = cover[y0:y1, x0:x1]
    for axis, seen in ((0, part.mean(0) < 0.5), (1, part.mean(1) < 0.5)):
        if seen.mean() < LEAST_SEEN:
            continue
        first, last = np.flatnonzero(seen)[[0, -1]]
        for side, edge in enumerate((first, last + 1)):
            if rng.random() < TO_WHAT_IS_SEEN:
                found[side, axis] = LOW[axis] + edge
    return found + rng.normal(0, ASTRAY, (2, 2)).astype(np.float32) * (HIGH - LOW)


def pulled(picture: NDArray, found: Corners) -> NDArray:
    """The picture as it is with the plate's box there."""
    scale = (HIGH - LOW) / np.maximum(found[1] - found[0], 8)
    (across, down), (right, below) = scale, LOW - scale * found[0]
    turn = np.float32([[across, 0, right], [0, down, below]])
    size = (AROUND_WIDTH_PX, AROUND_HEIGHT_PX)
    return cv2.warpAffine(picture, turn, size, borderMode=cv2.BORDER_REPLICATE)


def photographed(rng: Generator, picture: Image) -> Image:
    """In another light, smaller, with noise, compressed."""
    out = picture.astype(np.float32)
    if rng.random() < 0.4:
        smaller = rng.uniform(0.45, 1.0)
        out = cv2.resize(out, None, fx=smaller, fy=smaller, interpolation=cv2.INTER_AREA)
        out = cv2.resize(out, picture.shape[::-1], interpolation=cv2.INTER_LINEAR)
    if rng.random() < 0.2:
        out = out * shade(rng)
    out = 255 * np.power(np.clip(out, 0, 255) / 255, np.float32(np.exp(rng.normal() * 0.25)))
    if rng.random() < 0.5:
        out += rng.normal(0, rng.uniform(0, 5), out.shape).astype(np.float32)
    out = np.clip(out, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 90))]
        out = cv2.imdecode(cv2.imencode(".jpg", out, quality)[1], cv2.IMREAD_GRAYSCALE)
    return out


def shade(rng: Generator) -> NDArray[np.float32]:
    """A shadow with a straight edge, as a thing has: but one sees through it."""
    angle = rng.uniform(0, np.pi)
    x, y = np.meshgrid(np.arange(AROUND_WIDTH_PX), np.arange(AROUND_HEIGHT_PX))
    along = (x - SIZE[0] * rng.uniform(0.1, 0.9)) * np.cos(angle)
    along = along + (y - SIZE[1] * rng.uniform(0.1, 0.9)) * np.sin(angle)
    edge = np.clip(along / rng.uniform(1, 8), -0.5, 0.5) + 0.5
    return np.float32(1 - edge * rng.uniform(0.2, 0.7))
