"""Draws frames with one fictitious plate on a vehicle's flat side, whole: what the spoiling starts
from.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from agent.core.reading.sighting import Image
from bench.spoilt_plates import Corners
from models.training.detector import augment, bodywork, pasting
from models.training.render.degrade import backdrop
from models.training.render.plates import render_plate

WIDTH_PX, HEIGHT_PX = 960, 540
NARROWEST_PX, WIDEST_PX = 64.0, 230.0  # of a plate: where reads are sure
ROOM = 0.6  # plate widths that it stays away from the frame's edges


@dataclass(frozen=True, slots=True)
class Scene:
    """A frame, H×W×3 BGR, and its plate: text, region, rows, corners."""

    image: Image
    text: str
    region: str
    rows: int
    corners: Corners


def scene(
    rng: Generator, region: str | None = None, rows: int = 1, *, stacked: bool | None = None
) -> Scene:
    """One frame. `stacked`: small letters one above the other; by the tables' shares if None."""
    ground = backdrop(rng, WIDTH_PX, HEIGHT_PX)[:, :, None] * np.float32(255)
    canvas = np.clip(ground * rng.uniform(0.85, 1.15, 3), 0, 255).astype(np.uint8)
    plate = render_plate(rng, region=region, rows=rows, stacked=stacked)
    picture, inner = pasting.in_holder(rng, plate.image)
    aspect = float(np.ptp(inner[:, 0]) / np.ptp(inner[:, 1]))
    wide = float(np.exp(rng.uniform(np.log(NARROWEST_PX), np.log(WIDEST_PX))))
    wide *= max(1.0, aspect / 3.2)  # long plates need more width for the same height
    shape = pasting.quad(rng, wide, wide / aspect, float(np.clip(rng.normal(0, 4), -12, 12)))
    nearest = ROOM * wide - shape.min(axis=0)
    farthest = [WIDTH_PX, HEIGHT_PX] - shape.max(axis=0) - ROOM * wide
    place = rng.uniform(np.minimum(nearest, farthest), np.maximum(nearest, farthest))
    target = (shape + place).astype(np.float32)
    if rng.random() < 0.7:
        bodywork.paint(rng, canvas, bodywork.panel_around(rng, target), wide / aspect)
    pasting.paste(rng, canvas, picture, inner, target)
    return Scene(canvas, plate.text, plate.region, plate.rows, target)


def photographed(rng: Generator, image: Image) -> Image:
    """Light, a little blur, noise and JPEG over the whole frame: nothing that makes reading hard,
    since the measure is of sure reads.
    """
    seen = augment.light(rng, image)
    if rng.random() < 0.5:
        seen = cv2.GaussianBlur(seen, (0, 0), rng.uniform(0.4, 1.0))
    if rng.random() < 1 / 3:
        seen = cv2.cvtColor(cv2.cvtColor(seen, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    seen = augment.noise(rng, seen, rng.uniform(1, 5))
    _, packed = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
    return np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
