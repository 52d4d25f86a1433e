"""Draws plates for the detector: less true to each issuer than models/training/render, but wider in
colour and layout.

A detector must know the outline, the ground and a row of large characters; it need not read them.
Text is random.
"""

import string
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from models.training.detector.flat_images import Image
from models.training.render.syntax import tables

HEIGHT_PX = 110
PLATE_FONTS = ("roadgeek", "din", "Narrow-Bold", "Sans-Bold", "Mono-Bold", "Condensed-Bold")
PATTERNS = {
    "us": (
        "LLLDDDD",
        "DLLLDDD",
        "LLLDDD",
        "DDDLLL",
        "LLDDDDD",
        "LLDDLLL",
        "DDDDDD",
        "LDDDDD",
        "DDDLLD",
        "LLLLDD",
        "DDDDD",
    ),
    "eu": (
        "LLDDDLL",
        "LLDDDDLL",
        "LLDDDD",
        "LDDDLLL",
        "LDDDDDD",
        "DDDDLLL",
        "LLLDDDD",
        "LLDDLLL",
        "LLDDDDD",
        "DDLLDD",
    ),
    "br": ("LLLDDDD", "LLLDLDD"),
}
SEPARATORS = {
    "us": ("", " ", "-", "\u00b7", "  "),
    "eu": (" ", "-", "  ", ""),
    "br": ("-", "\u00b7", ""),
}


@dataclass(frozen=True, slots=True)
class Style:
    """One plate's looks. Colours are BGR; shares are of the plate's height."""

    region: str
    aspect: float
    ground: tuple[float, float, float]
    ground_below: tuple[float, float, float]
    ink: tuple[float, float, float]
    text_height: float
    rows: int


def colour(rng: Generator, low: float, high: float, tint: float) -> tuple[float, float, float]:
    """Brightness low..high, each channel up to `tint` darker."""
    return tuple(float(rng.uniform(low, high) * (1 - tint * rng.random())) for _ in range(3))


def style(rng: Generator) -> Style:
    """US two in five, Europe two in five, Brazil one in five; now and then two rows, and a light
    text on dark ground as often as the careful renderer draws it.
    """
    region = str(rng.choice(["us", "eu", "br"], p=[0.42, 0.36, 0.22]))
    rows = 1
    if region == "us":
        aspect, height = rng.uniform(1.92, 2.08), rng.uniform(0.4, 0.6)
        ground, below = colour(rng, 190, 255, 0.35), colour(rng, 170, 255, 0.45)
        ink = colour(rng, 10, 150, 1.0)
        if rng.random() < 0.5:
            ground = below = colour(rng, 215, 255, 0.06)
    elif region == "eu":
        aspect, height = rng.uniform(4.2, 4.8), rng.uniform(0.62, 0.8)
        ground = below = colour(rng, 220, 255, 0.05)
        if rng.random() < 0.2:
            ground = below = (
                float(rng.uniform(0, 60)),
                float(rng.uniform(190, 225)),
                float(rng.uniform(235, 255)),
            )
        ink = colour(rng, 0, 45, 0.3)
        if rng.random() < 0.12:
            aspect, rows, height = rng.uniform(1.35, 1.9), 2, rng.uniform(0.34, 0.4)
    else:
        aspect, height = rng.uniform(3.0, 3.2), rng.uniform(0.5, 0.62)
        ground = below = (
            colour(rng, 150, 215, 0.08) if rng.random() < 0.7 else colour(rng, 225, 255, 0.03)
        )
        ink = colour(rng, 0, 50, 0.3)
        if rng.random() < 0.12:
            aspect, rows, height = rng.uniform(1.15, 1.4), 2, rng.uniform(0.32, 0.4)
    if rng.random() < tables()["polarity"]["light_on_dark"]:
        ground = colour(rng, 20, 130, 1.0)
        below = colour(rng, 20, 110, 1.0) if region == "us" else ground
        ink = colour(rng, 200, 255, 0.1)
    return Style(region, float(aspect), ground, below, ink, float(height), rows)


def text(rng: Generator, region: str) -> str:
    """Random characters in one of the region's patterns; one us plate in eight is free text."""
    pattern = rng.choice(PATTERNS[region])
    if region == "us" and rng.random() < 0.12:
        pattern = "".join(rng.choice(["L", "D"], int(rng.integers(2, 8))))
    letters = [
        str(rng.choice(list(string.ascii_uppercase if c == "L" else string.digits)))
        for c in pattern
    ]
    split = int(rng.integers(1, len(letters)))
    return "".join(letters[:split]) + str(rng.choice(SEPARATORS[region])) + "".join(letters[split:])


def write(
    draw: ImageDraw.ImageDraw,
    font_file: Path,
    line: str,
    box: tuple[float, float, float, float],
    ink,
) -> None:
    """`line` centred in box x0, y0, x1, y1 and as tall as it, narrower where it must be."""
    x0, y0, x1, y1 = box
    font = ImageFont.truetype(str(font_file), 100)
    left, top, right, bottom = draw.textbbox((0, 0), line, font=font)
    size = 100 * min((x1 - x0) / max(1, right - left), (y1 - y0) / max(1, bottom - top))
    font = ImageFont.truetype(str(font_file), max(4, int(size)))
    left, top, right, bottom = draw.textbbox((0, 0), line, font=font)
    at = ((x0 + x1 - right - left) / 2, (y0 + y1 - bottom - top) / 2)
    draw.text(at, line, fill=tuple(int(v) for v in ink), font=font)


def ground(rng: Generator, look: Style, width: int) -> Image:
    """The empty plate: a gradient, and on some us plates a faint landscape."""
    steps = np.linspace(0, 1, HEIGHT_PX)[:, None, None]
    image = np.array(look.ground) * (1 - steps) + np.array(look.ground_below) * steps
    image = np.broadcast_to(image, (HEIGHT_PX, width, 3)).astype(np.uint8).copy()
    if look.region == "us" and rng.random() < 0.35:
        over = image.copy()
        for _ in range(int(rng.integers(1, 4))):
            points = rng.uniform(
                [0, 0.1 * HEIGHT_PX], [width, HEIGHT_PX], (int(rng.integers(3, 7)), 2)
            ).astype(np.int32)
            cv2.fillPoly(over, [points], colour(rng, 60, 230, 0.9))
        image = cv2.addWeighted(image, 0.65, cv2.GaussianBlur(over, (0, 0), 4), 0.35, 0)
    return image


def trim(rng: Generator, look: Style, image: Image) -> tuple[float, float]:
    """Bands, bolts, stickers and rim, in place; the x range that is left for the text."""
    width = image.shape[1]
    left, right = 0.05 * width, 0.95 * width
    if look.region == "eu" and rng.random() < 0.75:
        band = int(HEIGHT_PX * rng.uniform(0.3, 0.45) / look.rows)
        image[:, :band] = (*colour(rng, 90, 200, 0.1)[:1], 70, 10)
        left = band + 0.03 * width
        if rng.random() < 0.25:
            image[:, width - band :] = (150, 60, 10)
            right = width - band - 0.03 * width
    if look.region == "br" and rng.random() < 0.4:
        image[: int(0.24 * HEIGHT_PX)] = (160, 60, 20)
    if look.region == "us" and rng.random() < 0.25:
        rows = (
            slice(0, int(HEIGHT_PX * rng.uniform(0.14, 0.24)))
            if rng.random() < 0.6
            else slice(int(HEIGHT_PX * rng.uniform(0.78, 0.88)), None)
        )
        image[rows] = colour(rng, 30, 240, 0.9)
    if look.region == "us":
        for _ in range(int(rng.integers(0, 3))):
            x, y = int(rng.choice([0.03, 0.86]) * width), int(rng.choice([0.04, 0.8]) * HEIGHT_PX)
            cv2.rectangle(
                image,
                (x, y),
                (x + int(0.11 * width), y + int(0.16 * HEIGHT_PX)),
                colour(rng, 40, 255, 0.9),
                -1,
            )
    if rng.random() < 0.5:
        for x in (0.25, 0.75):
            centre = (int(x * width), int(HEIGHT_PX * rng.choice([0.08, 0.92])))
            cv2.circle(image, centre, int(rng.integers(2, 6)), colour(rng, 40, 220, 0.1), -1)
    if rng.random() < 0.55:
        shade = look.ink if rng.random() < 0.6 else colour(rng, 0, 255, 0.2)
        cv2.rectangle(image, (1, 1), (width - 2, HEIGHT_PX - 2), shade, int(rng.integers(1, 5)))
    return left, right


def draw_plate(rng: Generator, font_files: list[Path]) -> Image:
    """One plate, upright and tight: 110 x W x 3 BGR."""
    look = style(rng)
    width = int(HEIGHT_PX * look.aspect)
    image = ground(rng, look, width)
    left, right = trim(rng, look, image)
    picture = Pillow.fromarray(image)
    draw = ImageDraw.Draw(picture)
    upright = [f for f in font_files if "Oblique" not in f.name and "Italic" not in f.name]
    choices = [f for f in upright if any(name in str(f) for name in PLATE_FONTS)] or upright
    font = choices[int(rng.integers(len(choices)))]
    small = font_files[int(rng.integers(len(font_files)))]
    middle = HEIGHT_PX * (
        0.5 if look.region == "eu" else rng.uniform(0.5, 0.56) if look.region == "us" else 0.6
    )
    tall = look.text_height * HEIGHT_PX
    line = text(rng, look.region)
    if look.rows == 2:
        split = int(rng.integers(2, len(line) - 1))
        upper, lower = 0.12 * HEIGHT_PX, 0.54 * HEIGHT_PX
        write(draw, font, line[:split], (left, upper, right, upper + tall), look.ink)
        write(draw, font, line[split:], (left, lower, right, lower + tall), look.ink)
    else:
        write(draw, font, line, (left, middle - tall / 2, right, middle + tall / 2), look.ink)
    write_issuer(rng, draw, small, look, width)
    return np.asarray(picture).copy()


def write_issuer(
    rng: Generator,
    draw: ImageDraw.ImageDraw,
    font: Path,
    look: Style,
    width: int,
) -> None:
    """The state's or the city's name in small letters, and a motto."""
    name = "".join(rng.choice(list(string.ascii_lowercase), int(rng.integers(4, 13)))).capitalize()
    if look.region == "us":
        ink = look.ink if rng.random() < 0.5 else colour(rng, 0, 200, 1.0)
        above = (0.2 * width, 0.04 * HEIGHT_PX, 0.8 * width, 0.17 * HEIGHT_PX)
        write(draw, font, name, above, ink)
        if rng.random() < 0.6:
            below = (0.2 * width, 0.85 * HEIGHT_PX, 0.8 * width, 0.96 * HEIGHT_PX)
            write(draw, font, name[::-1] + " " + name[:4], below, ink)
    elif look.region == "br" and look.rows == 1:
        above = (0.25 * width, 0.06 * HEIGHT_PX, 0.75 * width, 0.2 * HEIGHT_PX)
        write(draw, font, name.upper(), above, look.ink)
