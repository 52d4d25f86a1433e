"""Real plates with known characters that may be trained on: the DarkPlate set (MIT), cut out with
their surroundings; and what is no plate.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.clutter import clutter
from models.training.data_guard import refuse_measure_only
from models.training.detector.photographs import corners_of, slope_of
from models.training.render.syntax import CHARACTERS

SURROUNDINGS = 0.3  # of the plate's size, on each side
SMALLEST = (4, 10)  # px, of a character whose box is of use
SHORTEST = 5  # fewer boxed characters: the label is most likely incomplete


@dataclass(frozen=True, slots=True)
class Boxed:
    """A character and where it stands, px: left, top, right, bottom."""

    character: str
    box: tuple[int, int, int, int]

    def of(self, picture: NDArray[np.float32]) -> NDArray[np.float32]:
        """That part of the plate's picture, not a copy."""
        left, top, right, bottom = self.box
        return picture[top:bottom, left:right]


@dataclass(frozen=True, slots=True)
class RealPlate:
    """`picture`: H×W, grey 0–1, plate and surroundings; `quad`: 4×2 px, clockwise from top left;
    `characters`: boxes of the whole text, or none.
    """

    picture: NDArray[np.float32]
    quad: NDArray[np.float32]
    text: str
    region: str
    characters: tuple[Boxed, ...] = ()


def load_real(root: Path) -> list[RealPlate]:
    """All usable plates of `root`/darkplate.

    Raises MeasureOnlyError when pointed at measure-only data.
    """
    plates = []
    for line in refuse_measure_only(root / "train.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if not record["file"].startswith("darkplate/"):
            continue
        labelled = [
            p
            for p in record["plates"]
            if p["text"] and len(p["text"]) >= SHORTEST and all(c in CHARACTERS for c in p["text"])
        ]
        if not labelled:
            continue
        frame = cv2.imread(str(refuse_measure_only(root / record["file"])), cv2.IMREAD_GRAYSCALE)
        plates += [cut(frame, p["box"], p.get("chars", []), p["text"]) for p in labelled]
    return plates


def load_clutter(root: Path) -> list[RealPlate]:
    """What is no plate, as plates without text: the reader must stay silent on them."""
    return [
        RealPlate(cutting.astype(np.float32) / 255, quad, "", "us")
        for cutting, quad in clutter(root)
    ]


def cut(frame: NDArray[np.uint8], box: list[float], characters: list[list], text: str) -> RealPlate:
    """One plate out of its frame; `box`: x, y, width, height px.

    A tilted line of characters tilts the quad within the box.
    """
    x, y, width, height = box
    x0, y0 = max(0, int(x - width * SURROUNDINGS)), max(0, int(y - height * SURROUNDINGS))
    x1, y1 = int(x + width * (1 + SURROUNDINGS)), int(y + height * (1 + SURROUNDINGS))
    picture = frame[y0:y1, x0:x1].astype(np.float32) / 255
    left, top = x - x0, y - y0
    slope = slope_of(characters)
    tilted = None if slope is None else corners_of([left, top, width, height], slope)
    quad = np.array(
        tilted
        or [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
        np.float32,
    )
    return RealPlate(picture, quad, text, "us", boxes_of(characters, (x0, y0), picture, text))


def boxes_of(
    characters: list[list], origin: tuple[int, int], picture: NDArray[np.float32], text: str
) -> tuple[Boxed, ...]:
    """The characters' boxes within the plate's picture, from left to right; none where they do not
    spell the text or are too small.
    """
    found = []
    for character, x, y, width, height in sorted(characters, key=lambda c: c[1]):
        left, top = max(0, round(x - origin[0])), max(0, round(y - origin[1]))
        right = min(picture.shape[1], round(x + width - origin[0]))
        bottom = min(picture.shape[0], round(y + height - origin[1]))
        if right - left < SMALLEST[0] or bottom - top < SMALLEST[1]:
            return ()
        found.append(Boxed(character, (left, top, right, bottom)))
    return tuple(found) if "".join(boxed.character for boxed in found) == text else ()
