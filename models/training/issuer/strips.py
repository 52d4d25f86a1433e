"""Draws the strip of a plate above or below its number, and photographs it as a camera does.

A strip is drawn as the upper one: its plate's edge lies near the top, the number's heads come in
from below. The lower one has these at the other side.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.vision.issuer.strips import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.training.issuer.lines import OUTLINED, draw_line
from models.training.issuer.prints import draw_print, letters_of, pick
from models.training.issuer.prints import tables as tables_of_prints
from models.training.render import degrade, furniture
from models.training.render.canvas import Picture, put
from models.training.render.glyphs import draw_face
from models.training.render.syntax import CHARACTERS, tables

Strip = NDArray[np.uint8]
Place = tuple[float, float]
FINER = 2  # the drawing's px across for one of the strip's
# Drawn as plates are, twice as wide as high; a strip is a third of the plate with its margins.
HIGH, WIDE = 64, STRIP_WIDTH_PX * FINER
PLATE = 176  # height of the plate that a strip is cut from, px
EDGE = 8  # of the strip, that lies outside of the plate
SPARE = 16  # px drawn around the strip, that a crop which is off may show
SMALLEST_PX, LARGEST_PX = 85.0, 330.0  # widths of plates in the picture
FRAMED, FRAME_NAMES = 0.22, 0.6
LEAST_CONTRAST = 0.28
COMPANY = 0.14  # of the lines: with something half as high beside them


@dataclass(frozen=True, slots=True)
class DrawnStrip:
    """`picture` uint8, with SPARE px around the strip; `letters`: what is to be read in it, A–Z;
    `places`: where each of them stands, px.
    """

    picture: Strip
    letters: str
    upper: bool
    places: tuple[Place, ...]


def draw_strip(rng: Generator) -> DrawnStrip:
    """A new one."""
    upper = bool(rng.random() < 0.6)
    high, wide = HIGH + 2 * SPARE, WIDE + 2 * SPARE
    ground = rng.uniform(0.35, 1.0) if rng.random() < 0.75 else rng.uniform(0.05, 0.5)
    picture = np.full((high, wide, 1), ground, np.float32)
    if rng.random() < 0.6:
        furniture.scenery(picture, rng)
    top = SPARE + EDGE  # where the plate's edge lies
    band(picture, rng, top)
    text = draw_print(rng)
    place = furnish(picture, rng, top, upper=upper)
    places = write(picture, rng, text, place, upper=upper) if text else ()
    beside(picture, rng, place, upper=upper)
    outside(picture, rng, top)
    levels = (np.clip(picture[:, :, 0], 0, 1) * 255).astype(np.uint8)
    if upper:
        return DrawnStrip(levels, letters_of(text), upper, places)
    turned = tuple((x, high - 1 - y) for x, y in places)
    return DrawnStrip(np.ascontiguousarray(levels[::-1]), letters_of(text), upper, turned)


def band(picture: Picture, rng: Generator, top: int) -> None:
    """A head of another colour behind the print, as half of the states have."""
    if rng.random() < 0.35:
        depth = int(PLATE * rng.uniform(0.12, 0.3))
        picture[: top + depth] = rng.uniform(0, 1)
        if rng.random() < 0.3:
            edge = top + depth
            picture[edge : edge + int(rng.integers(1, 5))] = rng.uniform(0, 1)


def furnish(picture: Picture, rng: Generator, top: int, *, upper: bool) -> float:
    """The number's heads (feet), stickers, screws; returns how far from the plate's edge there is
    room for print, px.
    """
    deep = PLATE * rng.uniform(0.21, 0.36)
    if rng.random() < 0.25:  # a skyline, a peach, an orchid
        left = picture.shape[1] * rng.uniform(0.0, 0.8)
        furniture.illustration(picture, rng, left, picture.shape[1] * rng.uniform(0.08, 0.3))
    digits(picture, rng, top + deep, upper=upper)
    for x in (0.08, 0.92):
        if rng.random() < 0.4:
            sticker(picture, rng, x, top, upper=upper)
    for x in (0.17, 0.83, 0.3, 0.7):
        if rng.random() < 0.18:
            centre = (
                int(picture.shape[1] * (x + rng.normal() * 0.02)),
                int(top + PLATE * rng.uniform(0.05, 0.13)),
            )
            cv2.circle(
                picture, centre, int(rng.integers(3, 10)), float(rng.uniform(0, 1)), -1, cv2.LINE_AA
            )
    return deep


def digits(picture: Picture, rng: Generator, y: float, *, upper: bool) -> None:
    """A row of the number's characters, of which the strip shows the upper ends."""
    table = tables()["us"]
    face = draw_face(rng, table["fonts"], table["strokes"])
    count, tall = int(rng.integers(5, 9)), int(PLATE * rng.uniform(0.4, 0.55))
    step = picture.shape[1] * rng.uniform(0.8, 0.98) / count
    ink = np.full(
        1, rng.uniform(0, 0.4) if picture.mean() > 0.45 else rng.uniform(0.6, 1), np.float32
    )
    x = (picture.shape[1] - step * count) / 2
    for _ in range(count):
        if rng.random() < 0.9:
            mask = face.mask(
                CHARACTERS[int(rng.integers(36))], max(4, int(step * rng.uniform(0.7, 0.9))), tall
            )
            put(picture, mask if upper else mask[::-1], x, y, ink)
        x += step


def sticker(picture: Picture, rng: Generator, x: float, top: int, *, upper: bool) -> None:
    """A month, a year or a county's number in a corner: not to be read."""
    wide, high = picture.shape[1] * rng.uniform(0.06, 0.13), PLATE * rng.uniform(0.1, 0.2)
    left, y = picture.shape[1] * x - wide / 2, top + PLATE * rng.uniform(0.0, 0.06)
    if rng.random() < 0.75:
        cv2.rectangle(
            picture,
            (int(left), int(y)),
            (int(left + wide), int(y + high)),
            float(rng.uniform(0, 1)),
            -1,
        )
    text = (
        str(int(rng.integers(10, 2030)))
        if rng.random() < 0.5
        else ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")[
            int(rng.integers(12))
        ]
    )
    mask = draw_line(rng, text, high * rng.uniform(0.4, 0.7), wide * 0.8).mask
    put(
        picture,
        mask if upper else mask[::-1],
        left + wide * 0.1,
        y + high * 0.2,
        np.full(1, rng.uniform(0, 1), np.float32),
    )


def write(
    picture: Picture, rng: Generator, text: str, room: float, *, upper: bool
) -> tuple[Place, ...]:
    """The line itself, mostly centred, with ink that differs from what lies under it; returns
    where its letters stand.
    """
    wide = picture.shape[1]
    longest = WIDE * (rng.uniform(0.3, 0.9) if len(text) < 16 else rng.uniform(0.7, 0.97))
    high = PLATE * rng.uniform(0.075, 0.19)
    line = draw_line(rng, text, min(high, room * 0.9), longest)
    mask = line.mask
    tall, broad = mask.shape
    middle = SPARE + EDGE + rng.uniform(0.35, 0.65) * room
    middle = max(middle, SPARE + EDGE + PLATE * 0.03 + tall / 2)
    x = (wide - broad) / 2 + (
        rng.normal() * 0.03 if rng.random() < 0.7 else rng.uniform(-0.25, 0.25)
    ) * WIDE
    x = float(np.clip(x, SPARE + 4, max(SPARE + 4, wide - SPARE - 4 - broad)))
    y = middle - tall / 2
    under = float(picture[max(0, int(y)) : int(y) + tall, int(x) : int(x) + broad].mean())
    ink = rng.uniform(0, 1)
    while abs(ink - under) < LEAST_CONTRAST:
        ink = rng.uniform(0, 1)
    shape = mask if upper else mask[::-1]
    if rng.random() < OUTLINED:
        rim = np.pad(shape, 3)
        rim = cv2.dilate(rim, np.ones((3, 3), np.uint8), iterations=int(rng.integers(1, 3)))
        put(
            picture,
            rim,
            x - 3,
            y - 3,
            np.full(1, 1 - ink if abs(1 - ink - ink) > 0.3 else 1.0 - round(ink), np.float32),
        )
    put(picture, shape, x, y, np.full(1, ink, np.float32), rng.uniform(0.75, 1.0))
    if rng.random() < COMPANY:
        company(picture, rng, (x, y, broad, tall), ink, upper=upper)
    return tuple((float(x + place), middle) for place in line.middles)


def company(
    picture: Picture,
    rng: Generator,
    line: tuple[float, float, int, int],
    ink: float,
    *,
    upper: bool,
) -> None:
    """Words or years beside the line (x, y, width, height px), about half as high."""
    x, y, broad, tall = line
    for before in (True, False):
        if rng.random() < 0.4:
            continue
        size = tall * rng.uniform(0.4, 0.62)
        mask = draw_line(rng, pick(rng, tables_of_prints()["small"]), size, WIDE * 0.2).mask
        gap = tall * rng.uniform(0.2, 1.0)
        left = x - gap - mask.shape[1] if before else x + broad + gap
        put(
            picture,
            mask if upper else mask[::-1],
            left,
            y + (tall - mask.shape[0]) * (1.0 if upper else 0.0),
            np.full(1, ink, np.float32),
        )


def beside(picture: Picture, rng: Generator, room: float, *, upper: bool) -> None:
    """A second line too small to be read: below, above or beside the first."""
    if rng.random() > 0.2:
        return
    mask = draw_line(
        rng,
        draw_print(rng) or "SINCE",
        PLATE * rng.uniform(0.02, 0.04),
        WIDE * rng.uniform(0.15, 0.45),
    ).mask
    y = (
        SPARE
        + EDGE
        + (room * rng.uniform(0.9, 1.0) if rng.random() < 0.6 else PLATE * rng.uniform(0.0, 0.03))
    )
    x = rng.uniform(SPARE, picture.shape[1] - SPARE - mask.shape[1])
    put(picture, mask if upper else mask[::-1], x, y, np.full(1, rng.uniform(0, 1), np.float32))


def outside(picture: Picture, rng: Generator, top: int) -> None:
    """What lies beyond the plate's edge: bodywork, or a dealer's frame, whose print is not the
    plate's, whatever state it names.
    """
    if rng.random() < FRAMED:
        depth = int(PLATE * rng.uniform(0.0, 0.06))
        value = float(rng.uniform(0, 0.25) if rng.random() < 0.7 else rng.uniform(0.5, 1))
        picture[: top + depth] = value
        text = draw_print(rng) if rng.random() < FRAME_NAMES else ""
        if text:
            high = PLATE * rng.uniform(0.06, 0.1)
            mask = draw_line(rng, text, high, WIDE * rng.uniform(0.3, 0.9)).mask
            ink = np.full(1, 0.9 if value < 0.5 else 0.1, np.float32)
            y = top + depth - mask.shape[0] - rng.uniform(1, 5)
            put(picture, mask, (picture.shape[1] - mask.shape[1]) * rng.uniform(0.35, 0.65), y, ink)
        return
    if rng.random() < 0.85:
        seam = top - int(rng.integers(0, 5))
        picture[:seam] = degrade.backdrop(rng, picture.shape[1], seam)[:, :, None]
    if rng.random() < 0.4:  # a painted or embossed rim
        y = top + int(rng.integers(1, 8))
        picture[y : y + int(rng.integers(1, 4))] = float(rng.uniform(0, 1))


def seen(rng: Generator, drawn: DrawnStrip, hardness: float) -> tuple[Strip, NDArray[np.float32]]:
    """The strip as the reader cuts it, 48×192, out of a plate of some width in the picture; and
    where its letters stand, px from the left.
    """
    this = hardness * rng.random() ** 0.8
    picture = np.float32(drawn.picture) / np.float32(255)
    width = (
        float(np.exp(rng.uniform(np.log(SMALLEST_PX), np.log(LARGEST_PX))))
        if rng.random() < this + 0.3
        else LARGEST_PX
    )
    picture, matrix = shifted(rng, picture, this)
    picture = degrade.weathered(rng, picture, this)
    size = (
        max(60, round(width)),
        max(10, round(width * HIGH / WIDE * rng.uniform(0.8, 1.1))),
    )
    pixel = WIDE / size[0]
    picture = cv2.GaussianBlur(
        picture, (0, 0), max(0.3, pixel * rng.uniform(0.15, 0.6) * (0.4 + 0.6 * this))
    )
    if rng.random() < 0.15 * this:
        picture = degrade.motion(rng, picture, pixel * 0.7)
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    small = degrade.expose(rng, small, this)
    if rng.random() < 0.4 * this:
        small = degrade.processed(rng, small)
    levels = (np.clip(small, 0, 1) * 255).astype(np.uint8)
    if rng.random() < 0.5 * this:
        levels = degrade.packed(rng, levels)
    way = cv2.INTER_AREA if levels.shape[1] > STRIP_WIDTH_PX else cv2.INTER_LINEAR
    strip = cv2.resize(levels, (STRIP_WIDTH_PX, STRIP_HEIGHT_PX), interpolation=way)
    places = np.float32(drawn.places).reshape(-1, 1, 2)
    if len(places):
        places = cv2.perspectiveTransform(places, matrix) / FINER
    return strip, places[:, 0, 0]


def shifted(
    rng: Generator, picture: NDArray[np.float32], hardness: float
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Cut where the aligner's corners put it: a little off, turned and keystoned; and the matrix
    that does it.
    """
    corners = np.array([[0, 0], [WIDE, 0], [WIDE, HIGH], [0, HIGH]], np.float32) + SPARE
    spread = np.array([0.012 * WIDE, 0.05 * HIGH]) * (0.3 + hardness)
    wrong = (
        corners
        + rng.normal(0, 1, 2) * spread * 0.8
        + rng.normal(0, 0.7, (4, 2)) * spread * [0.6, 1.0]
    )
    target = np.array([[0, 0], [WIDE, 0], [WIDE, HIGH], [0, HIGH]], np.float32)
    matrix = cv2.getPerspectiveTransform(wrong.astype(np.float32), target)
    seen_so = cv2.warpPerspective(picture, matrix, (WIDE, HIGH), borderMode=cv2.BORDER_REPLICATE)
    return seen_so, matrix
