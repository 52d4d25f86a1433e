"""Weighs what speaks for a whole plate and what against it: where its characters stand, how many
there are, which lines run past it.

Recognisers read what is there and are sure of it: of a plate behind a post they name another car
(P10). No single sign tells such a plate from a whole one; a logistic regression over them does. Its
weights are fitted on plates drawn and spoilt on purpose (`python -m models.training.wholeness`), so
that newly trained networks only need another fit.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.vision.straight_plate import proper_corners, straightened
from agent.vision.syntax import FLOOR, weight

# The plate with its surroundings, pulled straight: lines are looked for here.
AROUND_WIDTH_PX, AROUND_HEIGHT_PX = 192, 96
AROUND = (0.2, 0.25)  # of that picture's sides, on each side of the plate
ABOVE, PLATE, BELOW = slice(2, 22), slice(26, 70), slice(74, 94)  # its rows
# Columns of its sides, and of all between.
LEFT, RIGHT, BETWEEN = slice(26, 90), slice(102, 166), slice(50, 142)
LEANING_PX = (7, 5)  # a line may lean so far, outside the plate and on it
GROUND = 4.0  # grey levels, as grey.CONTRAST_FLOOR
NO_LINE = 0.05
# Beyond these, more says no more: gaps in characters' widths, characters.
WIDE_GAP, NEAR_GAP, UNEVEN, FEW = 2.5, 1.5, 2.0, 6.0
# Below that a character's middle is so near to the plate's end that it is cut, in widths.
TOUCHING = 0.6
RAREST = -7.0  # logarithm of a pattern's weight
SUREST_ODDS = 12.0  # logarithm, of the plate's box
NAMES = (
    *("left", "right", "nearer", "uneven", "widest", "pattern", "off_list", "characters"),
    *("aspect", "line", "line_through", "box", "aspect_each", "few"),
    *("us", "eu", "uk", "br", "us_characters", "eu_characters", "uk_characters", "br_characters"),
    *("us_aspect", "eu_aspect", "br_aspect", "touching"),
)

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Weights:
    """By NAMES: what is taken off, what it is divided by, its weight; then what is added, and the
    sum from which a plate is not whole.
    """

    middle: tuple[float, ...]
    spread: tuple[float, ...]
    weight: tuple[float, ...]
    bias: float
    limit: float


def evidence(
    image: Image, box: PlateBox, text: str, places: Sequence[float], regions: Sequence[float]
) -> tuple[float, ...]:
    """The signs, by NAMES, of a text of at least two characters.

    `places`: of each character's middle in the plate, 0–1 from left to right; `regions`: chance of
    each of syntax.REGIONS.
    """
    pitch = float(np.median(np.diff(places)))
    pitch = max(pitch, 1e-3)
    left, right = places[0] / pitch, (1 - places[-1]) / pitch
    widest = float(np.diff(places).max()) / pitch
    rare = math.log(weight(text, regions))
    aspect, count = _aspect(box), float(len(text))
    line, through = _lines(image, box)
    us, eu, _, br = regions
    return (
        min(left, WIDE_GAP),
        min(right, WIDE_GAP),
        min(left, right, NEAR_GAP),
        min(abs(left - right), UNEVEN),
        widest,
        max(rare, RAREST),
        float(rare < math.log(2 * FLOOR)),
        count,
        aspect,
        math.log(line + NO_LINE),
        math.log(through + NO_LINE),
        _odds(box.confidence),
        aspect / count,
        min(count, FEW),
        *regions,
        *(region * count for region in regions),
        *(us * aspect, eu * aspect, br * aspect),
        max(0.0, TOUCHING - min(left, right)),
    )


def against(signs: Sequence[float], weights: Weights) -> float:
    """The logarithm of the odds that the plate is not whole."""
    return weights.bias + sum(
        weight * (sign - middle) / spread
        for sign, middle, spread, weight in zip(
            signs, weights.middle, weights.spread, weights.weight, strict=True
        )
    )


def whole(signs: Sequence[float]) -> bool:
    """Was the whole plate seen? Written so that a NaN is not whole."""
    weights = shipped()
    return against(signs, weights) < weights.limit


@cache
def shipped() -> Weights:
    """wholeness.json, beside this file."""
    table = json.loads(
        files("agent.vision.whole").joinpath("wholeness.json").read_text(encoding="utf-8")
    )
    columns = [table["signs"][name] for name in NAMES]
    middle, spread, weight = (tuple(column[i] for column in columns) for i in range(3))
    return Weights(middle, spread, weight, table["bias"], table["limit"])


def _aspect(box: PlateBox) -> float:
    """Width over height, along the corners."""
    a, b, c, d = proper_corners(box)
    return (math.dist(a, b) + math.dist(d, c)) / max(math.dist(a, d) + math.dist(b, c), 1e-3)


def _odds(chance: float) -> float:
    least = math.exp(-SUREST_ODDS)
    return math.log(max(chance, least) / max(1 - chance, least))


def _lines(image: Image, box: PlateBox) -> tuple[float, float]:
    """How strong the strongest upright line is that goes on above or below the plate, and that goes
    on on both sides: a post's edge does. 1: as strong as the plate's own contrast.
    """
    grey = straightened(image, box, (AROUND_WIDTH_PX, AROUND_HEIGHT_PX), AROUND)
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    steps = np.abs(cv2.Sobel(soft, cv2.CV_32F, 1, 0))
    left, top = (round(side * share) for side, share in zip(grey.shape[::-1], AROUND, strict=True))
    contrast = float(grey[top:-top, left:-left].std()) + GROUND
    outside, inside = LEANING_PX
    above, below = (_leaning(np.median(steps[rows], axis=0), outside) for rows in (ABOVE, BELOW))
    plate = _leaning(np.percentile(steps[PLATE], 40, axis=0), inside)
    one = np.minimum(plate, np.maximum(above, below))
    both = np.minimum(plate, np.minimum(above, below))
    strongest = max(float(one[part].max()) for part in (LEFT, RIGHT, BETWEEN))
    return strongest / contrast, float(both[LEFT.start : RIGHT.stop].max()) / contrast


def _leaning(row: NDArray[np.floating], px: int) -> Map:
    """Each column's strongest neighbour."""
    return np.asarray(cv2.dilate(row.astype(np.float32)[None], np.ones((1, px), np.uint8))[0])
