"""A vehicle's flat side around a pasted plate: one paint, seams, lamps, lettering.

White vans with white plates are what a detector misses.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.detector.flat_images import Image
from models.training.detector.pasting import Corners
from models.training.render.syntax import CHARACTERS

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX | cv2.FONT_ITALIC,
)
FONT_HEIGHT_PX = 22.0  # of these fonts' capitals at scale 1
# How far paint like a plate's ground may be off: a share of it, and a deviation in grey levels.
SHADE_SHARE, SHADE_LEVELS = 0.25, 6.0


def panel_around(rng: Generator, plate: Corners) -> Corners:
    """The panel's corners, 4×2 px, tilted as the plate is: one to seven plates wide, two to eight
    high.
    """
    across, down = plate[1] - plate[0], plate[3] - plate[0]
    left, right, up, below = rng.uniform([0.1, 0.1, 0.3, 0.3], [3, 3, 4, 3])
    first = plate[0] - left * across - up * down
    last = plate[0] + (1 + right) * across + (1 + below) * down
    wide, high = (1 + left + right) * across, (1 + up + below) * down
    return np.array([first, first + wide, last, first + high], np.float32)


def paint(
    rng: Generator,
    canvas: Image,
    panel: Corners,
    plate_height: float,
    shade: tuple[float, float, float] | None = None,
) -> list[NDArray[np.float32]]:
    """Paint the panel into the picture, in place; gives the hulls x0, y0, x1, y1 of its lettering.

    `plate_height`: px. `shade`: the paint's colour, BGR; without one, any.
    """
    height, width = canvas.shape[:2]
    paintwork = _paintwork(rng, height, width, shade)
    across, down = panel[1] - panel[0], panel[3] - panel[0]
    for _ in range(int(rng.integers(0, 5))):  # seams and edges
        part = rng.uniform(0.02, 0.98)
        ends = (
            (panel[0] + part * across, panel[3] + part * across)
            if rng.random() < 0.5
            else (panel[0] + part * down, panel[1] + part * down)
        )
        shade = _shade(rng, paintwork)
        start, end = (tuple(int(v) for v in one) for one in ends)
        thick = max(1, int(plate_height * rng.uniform(0.02, 0.2)))
        cv2.line(paintwork, start, end, shade, thick, cv2.LINE_AA)
    for _ in range(int(rng.choice(3, p=[0.6, 0.25, 0.15]))):  # lamps, handles
        spot = panel[0] + rng.uniform(0, 1) * across + rng.uniform(0, 1) * down
        centre = tuple(int(v) for v in spot)
        axes = tuple(int(v) for v in np.maximum(1, plate_height * rng.uniform(0.15, 0.8, 2)))
        shade = _shade(rng, paintwork)
        cv2.ellipse(paintwork, centre, axes, 0, 0, 360, shade, -1, cv2.LINE_AA)
    hulls = [
        _letter(rng, paintwork, panel, plate_height)
        for _ in range(int(rng.choice(4, p=[0.4, 0.3, 0.2, 0.1])))
    ]
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, panel.round().astype(np.int32), 255, cv2.LINE_AA)
    cover = mask[:, :, None].astype(np.float32) / 255
    canvas[:] = (canvas * (1 - cover) + paintwork * cover).astype(np.uint8)
    return hulls


def shade_like(rng: Generator, ground: tuple[float, float, float]) -> tuple[float, float, float]:
    """Paint that hardly stands out from that colour, BGR."""
    factor, more = rng.uniform(1 - SHADE_SHARE, 1 + SHADE_SHARE), rng.normal(0, SHADE_LEVELS)
    return tuple(float(np.clip(value * factor + more, 0, 255)) for value in ground)


def _paintwork(
    rng: Generator, height: int, width: int, shade: tuple[float, float, float] | None
) -> Image:
    """One colour, mostly light, in uneven light."""
    if shade is None:
        grey = rng.uniform(140, 250) if rng.random() < 0.7 else rng.uniform(25, 140)
        colour = np.clip(grey + rng.normal(0, 10 if rng.random() < 0.7 else 40, 3), 0, 255)
    else:
        colour = np.asarray(shade)
    uneven = cv2.resize(
        rng.normal(1, rng.uniform(0.02, 0.15), (3, 3)).astype(np.float32),
        (width, height),
        interpolation=cv2.INTER_LINEAR,
    )
    return np.clip(uneven[:, :, None] * colour, 0, 255).astype(np.uint8)


def _shade(rng: Generator, paintwork: Image) -> tuple[float, ...]:
    """A colour to draw with: darker, lighter, or any."""
    ground = float(paintwork.mean())
    return tuple(
        float(v)
        for v in np.clip(
            rng.choice([ground * 0.3, ground * 0.75, ground * 1.25, rng.uniform(0, 255)])
            + rng.normal(0, 12, 3),
            0,
            255,
        )
    )


def _letter(
    rng: Generator, paintwork: Image, panel: Corners, plate_height: float
) -> NDArray[np.float32]:
    """A word or a telephone number somewhere on the panel; its hull."""
    text = (
        "".join(CHARACTERS[i] for i in rng.integers(0, len(CHARACTERS), int(rng.integers(3, 11))))
        if rng.random() < 0.6
        else "-".join(str(v) for v in rng.integers(100, 9999, 2))
    )
    font, tall = FONTS[int(rng.integers(len(FONTS)))], plate_height * rng.uniform(0.25, 1.3)
    scale, thick = tall / FONT_HEIGHT_PX, max(1, int(tall * rng.uniform(0.08, 0.2)))
    (wide, high), _ = cv2.getTextSize(text, font, scale, thick)
    x, y = (
        panel[0]
        + rng.uniform(0, 0.9) * (panel[1] - panel[0])
        + rng.uniform(0.1, 1) * (panel[3] - panel[0])
    )
    cv2.putText(
        paintwork, text, (int(x), int(y)), font, scale, _shade(rng, paintwork), thick, cv2.LINE_AA
    )
    return np.array([x, y - high, x + wide, y], np.float32)
