"""Character shapes: masks cut from fonts (cached), and stroke glyphs drawn like the dies of
embossed plates.
"""

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.training.fonts import FontFile, find_fonts
from models.training.render.syntax import CHARACTERS

Mask = NDArray[np.uint8]
CACHE_HEIGHT_PX = 64
WORD_HEIGHT_PX = 24


class Face(Protocol):
    """A style for one plate's characters."""

    def proportion(self, character: str) -> float:
        """Width over height."""

    def mask(self, character: str, width_px: int, height_px: int) -> Mask:
        """Coverage 0–255, height_px × width_px."""


NARROW = "1IJ"  # where a plate's other characters are equally wide, these are not


def breadth(face: Face, character: str) -> float:
    """Of one character, where the others are as wide as their cells: its width as a share of a
    broad one's, 1 for all but the narrow ones.
    """
    return (
        min(1.0, face.proportion(character) / (face.proportion("H") + 1e-6))
        if character in NARROW
        else 1.0
    )


class FontFace:
    """Characters cut tight from a font, all stretched to one height."""

    def __init__(self, masks: dict[str, Mask]) -> None:
        self._masks = masks

    def proportion(self, character: str) -> float:
        height, width = self._masks[character].shape
        return width / height

    def mask(self, character: str, width_px: int, height_px: int) -> Mask:
        return cv2.resize(
            self._masks[character], (width_px, height_px), interpolation=cv2.INTER_AREA
        )


@cache
def stroke_tables() -> tuple[dict, dict]:
    """strokes.toml: glyph → variants → strokes as (rounded, points n×2); and the narrow glyphs'
    widths.
    """
    data = tomllib.loads((Path(__file__).parent / "strokes.toml").read_text(encoding="utf-8"))
    glyphs = {}
    for character, variants in data["glyphs"].items():
        glyphs[character] = [
            [
                (s[0] == "r", np.array([p.split(",") for p in s[2:].split()], np.float32))
                for s in variant
            ]
            for variant in variants
        ]
    return glyphs, data["narrow"]


def rounded(points: NDArray[np.float32], radius: float) -> NDArray[np.float32]:
    """A polyline with its corners replaced by short quadratic curves.

    `points`: n×2, px; `radius`: px.
    """
    out = [points[:1]]
    steps = np.array([[0.0], [0.25], [0.5], [0.75], [1.0]], np.float32)
    for before, corner, after in zip(points[:-2], points[1:-1], points[2:], strict=True):
        to_before, to_after = before - corner, after - corner
        first = corner + to_before * min(0.5, radius / (np.hypot(*to_before) + 1e-6))
        last = corner + to_after * min(0.5, radius / (np.hypot(*to_after) + 1e-6))
        out.append((1 - steps) ** 2 * first + 2 * steps * (1 - steps) * corner + steps**2 * last)
    out.append(points[-1:])
    return np.concatenate(out)


class StrokeFace:
    """One die set: a stroke width, a corner radius, one variant of each character."""

    def __init__(self, rng: Generator) -> None:
        self._stroke = rng.uniform(0.065, 0.17)  # of the height
        self._radius = rng.uniform(0.08, 0.28)  # of the height
        glyphs, narrow = stroke_tables()
        # Some issuers' I and 1 have feet as broad as any character.
        wider = rng.uniform(1.2, 2.0) if rng.random() < 0.3 else 1.0
        self._narrow = {
            character: min(1.0, width * wider) if character in "1I" else width
            for character, width in narrow.items()
        }
        self._variants = {
            c: variants[int(rng.integers(len(variants)))] for c, variants in glyphs.items()
        }
        self._proportion = rng.uniform(0.45, 0.65)

    def proportion(self, character: str) -> float:
        return self._proportion * self._narrow.get(character, 1.0)

    def mask(self, character: str, width_px: int, height_px: int) -> Mask:
        mask = np.zeros((height_px, width_px), np.uint8)
        stroke = max(1.0, min(self._stroke * height_px, width_px * 0.4))
        thickness = max(1, round(stroke))
        scale = np.array([(width_px - stroke) / 8, (height_px - stroke) / 12], np.float32)
        for is_round, points in self._variants[character]:
            line = points * scale + (stroke - 1) / 2
            if is_round:
                line = rounded(line, self._radius * height_px)
            cv2.polylines(
                mask, [np.round(line * 16).astype(np.int32)], False, 255, thickness, cv2.LINE_AA, 4
            )
        return mask


@dataclass(frozen=True, slots=True)
class Slash:
    """`inset`: share of the character's sides left free; `thick`: share of its height."""

    inset: float
    thick: float = 0.07


class AlteredFace:
    """Another face with what some issuers do to single characters: a slash through the zero, feet
    under the I, marks above or through letters, which are read without them.
    """

    def __init__(
        self, face: Face, marks: dict[str, str], *, slash: Slash | None, footed: bool
    ) -> None:
        """`marks`: letter → "dots", "ring", "tilde" or "stroke"; `slash`: through the zero."""
        self._face, self._marks = face, marks
        self._slash, self._footed = slash, footed

    def proportion(self, character: str) -> float:
        own = self._face.proportion(character)
        return max(own, 0.6 * self._face.proportion("H")) if self._is_footed(character) else own

    def _is_footed(self, character: str) -> bool:
        return self._footed and character == "I"

    def mask(self, character: str, width_px: int, height_px: int) -> Mask:
        if self._is_footed(character):
            return footed(width_px, height_px)
        if self._slash and character == "0":
            return crossed(self._face.mask(character, width_px, height_px), self._slash)
        mark = self._marks.get(character)
        if mark == "stroke":
            return crossed(self._face.mask(character, width_px, height_px), Slash(0.0))
        if mark and height_px >= 16:
            return marked(self._face, character, mark, width_px, height_px)
        return self._face.mask(character, width_px, height_px)


def footed(width_px: int, height_px: int) -> Mask:
    """An I with bars above and below."""
    mask = np.zeros((height_px, width_px), np.uint8)
    thick = max(1, round(min(height_px * 0.11, width_px * 0.3)))
    left = (width_px - thick) // 2
    mask[:, left : left + thick] = 255
    mask[:thick] = mask[-thick:] = 255
    return mask


def crossed(mask: Mask, slash: Slash) -> Mask:
    """A character with a slash from the lower left to the upper right."""
    out = mask.copy()
    height, width = out.shape
    x, y = round(width * slash.inset), round(height * slash.inset)
    thick = max(1, round(height * slash.thick))
    cv2.line(out, (x, height - 1 - y), (width - 1 - x, y), 255, thick, cv2.LINE_AA)
    return out


def marked(face: Face, letter: str, mark: str, width_px: int, height_px: int) -> Mask:
    """A letter lower by as much as its mark is high."""
    above = round(height_px * 0.2)
    mask = np.zeros((height_px, width_px), np.uint8)
    mask[above:] = face.mask(letter, width_px, height_px - above)
    middle, radius = width_px / 2, max(1, round(height_px * 0.06))
    if mark == "dots":
        for x in (middle - width_px * 0.2, middle + width_px * 0.2):
            cv2.circle(mask, (round(x), radius), radius, 255, -1, cv2.LINE_AA)
    elif mark == "ring":
        spot = (round(middle), above // 2)
        cv2.circle(mask, spot, max(2, above // 2 - 1), 255, max(1, above // 4), cv2.LINE_AA)
    else:
        reach, low = round(width_px * 0.3), above - radius - 1
        wave = np.array(
            [
                [middle - reach, low],
                [middle - reach / 3, 1],
                [middle + reach / 3, low],
                [middle + reach, 1],
            ]
        )
        cv2.polylines(mask, [wave.astype(np.int32)], False, 255, max(1, above // 4), cv2.LINE_AA)
    return mask


MARKS = {"A": ("dots", "ring"), "O": ("dots", "dots", "stroke"), "U": ("dots",), "N": ("tilde",)}
SLASHED, FOOTED = 0.06, 0.08
SLASH = Slash(0.12)
INSETS, THICKNESSES = (0.04, 0.3), (0.05, 0.1)  # of slashes where they are asked for
MARKED = {"eu": 0.12, "us": 0.0, "uk": 0.0, "br": 0.0}


def altered(
    rng: Generator,
    face: Face,
    region: str,
    slashed: float | None = None,
    marked: float | None = None,
) -> Face:
    """The face, sometimes with single characters of another kind. `slashed`: the share of faces
    with slashes of any kind through their zero; None: the usual share, and slash. `marked`: the
    share of eu faces with dots, rings and strokes at their letters; None: the usual share.
    """
    has_slash = rng.random() < (SLASHED if slashed is None else slashed)
    feet = rng.random() < FOOTED
    marks = {}
    share = MARKED[region] if marked is None or region != "eu" else marked
    if rng.random() < share:
        marks = {
            letter: kinds[int(rng.integers(len(kinds)))]
            for letter, kinds in MARKS.items()
            if rng.random() < 0.6
        }
    if not (has_slash or feet or marks):
        return face
    slash = SLASH
    if slashed is not None:
        slash = Slash(float(rng.uniform(*INSETS)), float(rng.uniform(*THICKNESSES)))
    return AlteredFace(face, marks, slash=slash if has_slash else None, footed=feet)


def cut(font: ImageFont.FreeTypeFont, character: str) -> Mask | None:
    """One character, tight; None when the font lacks it."""
    canvas = Image.new("L", (150, 160), 0)
    ImageDraw.Draw(canvas).text((25, 25), character, font=font, fill=255)
    pixels = np.asarray(canvas)
    rows, columns = np.nonzero(pixels > 60)
    if len(rows) < 10:
        return None
    tight = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    if tight.shape[0] < 40:  # small capitals only, or an empty box
        return None
    width = max(4, round(tight.shape[1] * CACHE_HEIGHT_PX / tight.shape[0]))
    return cv2.resize(tight, (width, CACHE_HEIGHT_PX), interpolation=cv2.INTER_AREA)


@cache
def font_faces() -> dict[str, list[FontFace]]:
    """Family → faces; read once a process (some seconds)."""
    families: dict[str, list[FontFace]] = {}
    for file in find_fonts():
        masks = font_masks(file)
        if masks is not None:
            families.setdefault(file.family, []).append(FontFace(masks))
    return families


def font_masks(file: FontFile) -> dict[str, Mask] | None:
    """All 36 characters, or None when one is missing."""
    font = ImageFont.truetype(str(file.path), 90)
    masks = {character: cut(font, character) for character in CHARACTERS}
    return None if any(mask is None for mask in masks.values()) else masks


@cache
def faces_for(names: tuple[str, ...]) -> list[list[FontFace]]:
    """For each name of a region's font list, the faces whose family starts so; names without a face
    are left out.
    """
    listed = []
    for name in names:
        faces = [
            face
            for family, group in font_faces().items()
            if family.startswith(name)
            for face in group
        ]
        if faces:
            listed.append(faces)
    return listed


def draw_face(rng: Generator, names: list[str], strokes: float) -> Face:
    """A face for one plate: families equally likely, however many weights each has.

    `strokes`: share of stroke glyphs.
    """
    listed = faces_for(tuple(names))
    if not listed or rng.random() < strokes:
        return StrokeFace(rng)
    faces = listed[int(rng.integers(len(listed)))]
    return faces[int(rng.integers(len(faces)))]


@cache
def word_fonts() -> list[ImageFont.FreeTypeFont]:
    """Faces for the small print; Pillow's own when there are none."""
    files = find_fonts()[::8][:12]
    return [ImageFont.truetype(str(file.path), WORD_HEIGHT_PX) for file in files] or [
        ImageFont.load_default(WORD_HEIGHT_PX)
    ]


@lru_cache(maxsize=6000)
def word_mask(font_index: int, word: str) -> Mask:
    """Small print as a tight mask, about WORD_HEIGHT_PX high."""
    font = word_fonts()[font_index % len(word_fonts())]
    left, top, right, bottom = font.getbbox(word)
    canvas = Image.new("L", (max(4, int(right - left)), max(4, int(bottom - top))), 0)
    ImageDraw.Draw(canvas).text((-left, -top), word, font=font, fill=255)
    return np.asarray(canvas)
