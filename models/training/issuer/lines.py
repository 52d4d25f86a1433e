"""Sets one line of small print as a mask: every kind of face, wide or narrow, spaced or tight,
straight or in an arch.
"""

from dataclasses import dataclass
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from agent.vision.issuer.closed_list import LETTERS
from models.training.fonts import print_fonts

Mask = NDArray[np.uint8]
DRAWN_PX = 44  # of the font
SPACINGS = (0.0, 0.08, 0.2)  # between letters, of the font's size
STYLES, STYLE_SHARES = ("capitals", "title", "small capitals"), (0.5, 0.42, 0.08)
ARCHED, SLANTED, OUTLINED = 0.12, 0.12, 0.12


@dataclass(frozen=True, slots=True)
class Line:
    """A tight mask, 0–255, and the middle of each of its letters A–Z, px from its left."""

    mask: Mask
    middles: NDArray[np.float32]


@cache
def faces() -> list[ImageFont.FreeTypeFont]:
    """All of them, plain faces as often as serifs and scripts together."""
    listed = print_fonts()
    return [ImageFont.truetype(str(path), DRAWN_PX) for path in listed] or [
        ImageFont.load_default(DRAWN_PX)
    ]


@cache
def small_faces() -> list[ImageFont.FreeTypeFont]:
    """The same, for small capitals."""
    return [
        face.font_variant(size=round(DRAWN_PX * 0.78))
        if isinstance(face, ImageFont.FreeTypeFont)
        else face
        for face in faces()
    ]


@lru_cache(maxsize=6000)
def set_line(face: int, text: str, style: str, spacing: float) -> Line:
    """Letter by letter. `style`: "capitals", "title" or "small capitals"."""
    big, small = faces()[face], small_faces()[face]
    shown = titled(text) if style == "title" else text
    first = [not index or text[index - 1] == " " for index in range(len(text))]
    pens = [small if style == "small capitals" and not one else big for one in first]
    places = [float(DRAWN_PX)]
    for index, (letter, pen) in enumerate(zip(shown, pens, strict=True)):
        # By the length of what goes before, scripts stay joined and pairs kerned.
        whole = style == "title" or (style == "capitals" and not spacing)
        end = big.getlength(shown[: index + 1]) + DRAWN_PX if whole else 0.0
        places.append(end or places[-1] + pen.getlength(letter) + spacing * DRAWN_PX)
    canvas = Image.new("L", (int(places[-1]) + 2 * DRAWN_PX, 3 * DRAWN_PX), 0)
    draw, baseline = ImageDraw.Draw(canvas), big.getmetrics()[0] + 20
    for letter, pen, x in zip(shown, pens, places, strict=False):
        draw.text((x, baseline), letter, font=pen, fill=255, anchor="ls")
    mask, left = tight(np.asarray(canvas))
    between = np.convolve(places, [0.5, 0.5], "valid") - left
    letters = [letter.upper() in LETTERS for letter in shown]
    return Line(mask, between[letters].astype(np.float32))


def titled(text: str) -> str:
    """Each word with a capital."""
    return " ".join(word[:1] + word[1:].lower() for word in text.split(" "))


def tight(pixels: Mask) -> tuple[Mask, int]:
    """Without its empty sides, and how much was cut off at the left, px."""
    rows, columns = np.nonzero(pixels > 60)
    if not len(rows):
        return np.zeros((4, 4), np.uint8), 0
    left = int(columns.min())
    return np.ascontiguousarray(pixels[rows.min() : rows.max() + 1, left : columns.max() + 1]), left


def draw_line(rng: Generator, text: str, height: float, widest: float) -> Line:
    """The text `height` px high at most, `widest` px wide at most."""
    face = int(rng.integers(len(faces())))
    style = str(rng.choice(STYLES, p=STYLE_SHARES))
    spacing = SPACINGS[int(rng.integers(len(SPACINGS)))] if style == "capitals" else 0.0
    line = set_line(face, text, style, spacing)
    tall, wide = line.mask.shape
    scale = height / tall * (1.2 if style == "title" else 1.0)
    broad = wide * scale * float(np.exp(rng.normal() * 0.18))
    if broad > widest:
        scale, broad = scale * max(0.75, widest / broad), widest
    size = max(4, round(broad)), max(4, round(tall * scale))
    mask = cv2.resize(line.mask, size, interpolation=cv2.INTER_AREA)
    return bent(rng, Line(mask, line.middles * np.float32(size[0] / wide)))


def bent(rng: Generator, line: Line) -> Line:
    """Some in an arch, some slanted."""
    height, width = line.mask.shape
    if rng.random() < ARCHED:
        depth = height * rng.uniform(0.2, 0.9) * (1 if rng.random() < 0.8 else -1)
        columns = np.linspace(-1, 1, width, dtype=np.float32)
        drop = depth * columns**2 + max(0.0, -depth)
        tall = round(height + abs(depth))
        x = np.tile(np.arange(width, dtype=np.float32), (tall, 1))
        y = np.arange(tall, dtype=np.float32)[:, None] - drop[None]
        return Line(cv2.remap(line.mask, x, y.astype(np.float32), cv2.INTER_LINEAR), line.middles)
    if rng.random() < SLANTED:
        lean = rng.uniform(-0.1, 0.3) * height
        matrix = np.array([[1, -lean / height, max(0.0, lean)], [0, 1, 0]], np.float32)
        mask = cv2.warpAffine(line.mask, matrix, (round(width + abs(lean)), height))
        return Line(mask, line.middles + np.float32(abs(lean) / 2))
    return line
