"""Things on the road, as flat pictures in metres: cars with plates, buses, lamp posts, trees."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from agent.core.reading.sighting import Image
from bench.clips.drawing import Pyramid
from bench.clips.lens import PLATE_HEIGHT_M
from bench.clips.light import Light
from models.training.render.plates import render_plate

PX_A_METRE = 300
# Licensed widths; the height follows from the drawn plate's own proportions.
PLATE_WIDTH_M = {"us": 0.305, "eu": 0.52, "uk": 0.52, "br": 0.40}
COLOURS = (
    (70, 60, 150),
    (150, 110, 60),
    (90, 120, 90),
    (60, 60, 60),
    (170, 170, 175),
    (40, 40, 44),
)


@dataclass(frozen=True, slots=True)
class Panel:
    """A flat picture, upright, facing the camera; metres, `left` and `bottom` from the thing's
    place on the ground. `text`: the plate's, fictitious; empty: no plate.
    """

    picture: Pyramid
    left_m: float
    bottom_m: float
    width_m: float
    height_m: float
    text: str = ""
    region: str = ""


def car(
    rng: Generator, light: Light, text: str | None = None, region: str | None = None
) -> tuple[Panel, ...]:
    """A car's end with a plate of the renderer."""
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    body = _body(colour, front=bool(rng.random() < 0.5))
    return (
        Panel(Pyramid.of(light.on(body)), -0.9, 0.1, 1.8, 1.45),
        plate(rng, light, text, region),
    )


def plate(
    rng: Generator,
    light: Light,
    text: str | None = None,
    region: str | None = None,
    *,
    left_m: float | None = None,
    middle_m: float = PLATE_HEIGHT_M,
) -> Panel:
    """A plate alone, its middle `middle_m` above the ground, centred unless `left_m` says more."""
    drawn = render_plate(rng, text, region)
    width_m = PLATE_WIDTH_M[drawn.region]
    height_m = width_m * drawn.image.shape[0] / drawn.image.shape[1]
    return Panel(
        Pyramid.of(light.on(drawn.image, shining=True)),
        -width_m / 2 if left_m is None else left_m,
        middle_m - height_m / 2,
        width_m,
        height_m,
        drawn.text,
        drawn.region,
    )


def _body(colour: tuple[int, int, int], *, front: bool) -> Image:
    """1.8 × 1.45 m of car, BGRA."""
    width, height = round(1.8 * PX_A_METRE), round(1.45 * PX_A_METRE)
    sprite = np.zeros((height, width, 4), np.uint8)
    dark, light = (tuple(int(np.clip(c * f, 0, 255)) for c in colour) for f in (0.5, 1.25))

    def polygon(points: list[tuple[float, float]], shade: tuple[int, ...]) -> None:
        """Shares of the sprite's sides, from its top left."""
        placed = np.array(points) * [width, height]
        cv2.fillPoly(sprite, [placed.astype(np.int32)], (*shade, 255), cv2.LINE_AA)

    polygon([(0.06, 0.85), (0.2, 0.85), (0.2, 1), (0.08, 1)], (25, 25, 25))  # tyres
    polygon([(0.8, 0.85), (0.94, 0.85), (0.92, 1), (0.8, 1)], (25, 25, 25))
    polygon([(0.2, 0.02), (0.8, 0.02), (0.94, 0.36), (0.06, 0.36)], colour)  # cabin
    polygon([(0.24, 0.06), (0.76, 0.06), (0.87, 0.33), (0.13, 0.33)], (60, 52, 44))  # window
    polygon([(0.05, 0.34), (0.95, 0.34), (1, 0.5), (0.98, 0.92), (0.02, 0.92), (0, 0.5)], colour)
    polygon([(0.05, 0.34), (0.95, 0.34), (0.96, 0.38), (0.04, 0.38)], light)
    polygon([(0.03, 0.76), (0.97, 0.76), (0.97, 0.92), (0.03, 0.92)], dark)  # bumper
    lamp = (225, 230, 235) if front else (38, 32, 190)
    for left in (0.03, 0.82):
        polygon([(left, 0.42), (left + 0.15, 0.42), (left + 0.15, 0.52), (left, 0.52)], lamp)
    return sprite


def wall(rng: Generator, light: Light, width_m: float, height_m: float) -> Panel:
    """A bus or a van from the side: a long dull wall with windows, and no plate."""
    colour = COLOURS[int(rng.integers(len(COLOURS)))]
    height, width = round(height_m * 60), round(width_m * 60)
    picture = np.full((height, width, 3), colour, np.uint8)
    picture[int(height * 0.2) : int(height * 0.5), int(width * 0.05) : int(width * 0.95)] //= 2
    picture[int(height * 0.85) :] = (30, 30, 30)
    return Panel(Pyramid.of(light.on(picture)), -width_m / 2, 0.15, width_m, height_m)


def post(light: Light, width_m: float = 0.18, height_m: float = 5.0) -> Panel:
    """A lamp post."""
    picture = np.full((100, 24, 3), 90, np.uint8)
    picture[:, 4:9] = 150
    return Panel(Pyramid.of(light.on(picture)), -width_m / 2, 0.0, width_m, height_m)


def tree(rng: Generator, light: Light, width_m: float, height_m: float) -> Panel:
    """A leafy bush or crown with ragged edges."""
    size = 256
    leaves = cv2.resize(rng.uniform(0, 1, (48, 48)).astype(np.float32), (size, size))
    leaves += 0.5 * rng.uniform(0, 1, (size, size)).astype(np.float32)
    y, x = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    inside = (x**2 + y**2 + 0.35 * (leaves - 0.75)) < 0.8
    shade = (60 + 110 * leaves)[:, :, None] * np.array([0.35, 0.8, 0.45])
    picture = np.dstack([np.clip(shade, 0, 255), 255.0 * inside]).astype(np.uint8)
    return Panel(Pyramid.of(light.on(picture)), -width_m / 2, 0.3, width_m, height_m)
