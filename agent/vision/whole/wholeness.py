"""Says whether the whole plate was seen: a small network weighs the picture around it, what the
recogniser made of it, and signs such as where its characters stand and how many there are.

Recognisers read what is there and are sure of it: of a plate behind a post they name another car
(P10). No single sign tells such a plate from a whole one, and neither does its picture alone.
Training: `python -m models.training.whole.train`, after every training of another network.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.values import dataclass
from agent.vision.grey import standardised
from agent.vision.straight_plate import aspect_of, straightened
from agent.vision.syntax import FLOOR, weight
from agent.vision.whole.plain_signs import plainly_whole

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
# A chance of stacked characters below which none are looked for, unless the plate is not whole:
# where the second answer is silent, the others tell them.
NOT_EXCLUDED = 0.05
RAREST = -7.0  # logarithm of a pattern's weight
SUREST_ODDS = 12.0  # logarithm, of the plate's box
SIGNS = (
    *("left", "right", "nearer", "uneven", "widest", "pattern", "off_list", "characters"),
    *("aspect", "line", "line_through", "box", "aspect_each", "few"),
    *("us", "eu", "uk", "br", "us_characters", "eu_characters", "uk_characters", "br_characters"),
    *("us_aspect", "eu_aspect", "br_aspect", "touching"),
)
LINES = SIGNS[9:11]  # the signs that are seen in the picture alone
NOTHING_MISSING = [0.0, 0.0, 0.0]
# Log-odds that a text is right, by those that something hides a part of its plate: ODDS - FALL · x.
# Fitted by `python -m models.training.whole.odds`, as if one plate in ten were hidden.
ODDS, FALL = 1.91, 0.47

Map = NDArray[np.float32]


class Session(Protocol):
    """What is needed of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


@dataclass(frozen=True, slots=True)
class Sight:
    """What the reader made of a plate: a text of at least two characters; of each its middle in the
    plate, 0–1 from left to right; the chance of each of syntax.REGIONS; the network's features,
    160×32; the text's probability, 0–1.
    """

    text: str
    places: Sequence[float]
    regions: Sequence[float]
    features: Map
    sure: float


@dataclass(frozen=True, slots=True)
class Missing:
    """What a text may lack of the plate.

    `part`: something hides a part, or one row of two was left out. `stacked`: stacked characters
    were left out; `perhaps_stacked`: that cannot be excluded. `right`: the chance that the text is
    right though a part is hidden, 0–1; 1: none is.
    """

    part: bool = False
    stacked: bool = False
    perhaps_stacked: bool = False
    right: float = 1.0


class Wholeness:
    """Implements second_look.Whole over the session of models/wholeness.onnx.

    The session takes float32 `around` N×1×96×192, standardised, `features` N×160×32 and `signs`
    N×26, by SIGNS. It gives `chances` N×3, 0–1: that a part is hidden; that stacked characters, or
    a row, were left out. `threshold`: from that chance of any on the plate is not whole.
    """

    def __init__(self, session: Session, threshold: float) -> None:
        self._session, self._threshold = session, threshold

    def __call__(self, image: Image, box: PlateBox, sight: Sight) -> Missing:
        """Was the whole plate seen? Written so that a NaN is not whole."""
        chances = self.chances(image, box, sight)
        hidden, stacked, row = (not chance < self._threshold for chance in chances)
        perhaps = hidden or row or not chances[1] < NOT_EXCLUDED
        if not (hidden or row):
            return Missing(stacked=stacked, perhaps_stacked=perhaps)
        right = min(right_though_hidden(chance) for chance in (chances[0], chances[2]))
        return Missing(part=True, stacked=stacked, perhaps_stacked=perhaps, right=right)

    def chances(self, image: Image, box: PlateBox, sight: Sight) -> list[float]:
        """The three, 0–1, or NaNs; none of a plate that is plainly whole, unseen."""
        told = signs_without_lines(box, sight)
        if plainly_whole(told, sight.sure):
            return NOTHING_MISSING
        surroundings = around(image, box)
        (chances,) = self._session.run(
            ["chances"],
            {
                "around": standardised(surroundings)[None, None],
                "features": sight.features[None],
                "signs": np.array([with_lines(told, surroundings)], np.float32),
            },
        )
        return [float(chance) for chance in chances[0]]


def right_though_hidden(chance: float) -> float:
    """The chance 0–1 that a text is right, where something hides a part of the plate with that
    chance, 0–1: most things hide no character. A NaN says nothing for the text.

    The map is that of Platt (Probabilistic outputs for support vector machines, 1999).
    """
    if not 0 < chance < 1:
        return float(chance <= 0)
    return 1 / (1 + math.exp(FALL * math.log(chance / (1 - chance)) - ODDS))


def around(image: Image, box: PlateBox) -> Image:
    """The plate pulled straight with its surroundings, 96×192, grey."""
    return straightened(image, box, (AROUND_WIDTH_PX, AROUND_HEIGHT_PX), AROUND)


def signs_of(surroundings: Image, box: PlateBox, sight: Sight) -> tuple[float, ...]:
    """By SIGNS. `surroundings`: as around() gives them."""
    return with_lines(signs_without_lines(box, sight), surroundings)


def with_lines(told: tuple[float, ...], surroundings: Image) -> tuple[float, ...]:
    """All of SIGNS: those without lines, and the lines in the picture."""
    place = SIGNS.index(LINES[0])
    lines = (math.log(strength + NO_LINE) for strength in _lines(surroundings))
    return (*told[:place], *lines, *told[place:])


def signs_without_lines(box: PlateBox, sight: Sight) -> tuple[float, ...]:
    """By SIGNS, without LINES."""
    text, places, regions = sight.text, sight.places, sight.regions
    gaps = [after - before for before, after in pairwise(places)]  # plain floats: they are few
    pitch = max(float(np.median(gaps)), 1e-3)
    left, right = places[0] / pitch, (1 - places[-1]) / pitch
    widest = max(gaps) / pitch
    rare = math.log(weight(text, regions))
    aspect, count = aspect_of(box), float(len(text))
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
        _odds(box.confidence),
        aspect / count,
        min(count, FEW),
        *regions,
        *(region * count for region in regions),
        *(us * aspect, eu * aspect, br * aspect),
        max(0.0, TOUCHING - min(left, right)),
    )


def _odds(chance: float) -> float:
    least = math.exp(-SUREST_ODDS)
    return math.log(max(chance, least) / max(1 - chance, least))


def _lines(grey: Image) -> tuple[float, float]:
    """How strong the strongest upright line is that goes on above or below the plate, and that goes
    on on both sides: a post's edge does. 1: as strong as the plate's own contrast.
    """
    soft = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.0)
    steps = np.abs(cv2.Sobel(soft, cv2.CV_32F, 1, 0))
    left, top = (round(side * share) for side, share in zip(grey.shape[::-1], AROUND, strict=True))
    _, deviation = cv2.meanStdDev(grey[top:-top, left:-left])
    contrast = float(deviation[0, 0]) + GROUND
    outside, inside = LEANING_PX
    above, below = (_leaning(at_most(steps[rows], 0.5), outside) for rows in (ABOVE, BELOW))
    plate = _leaning(at_most(steps[PLATE], 0.4), inside)
    one = np.minimum(plate, np.maximum(above, below))
    both = np.minimum(plate, np.minimum(above, below))
    strongest = max(float(one[part].max()) for part in (LEFT, RIGHT, BETWEEN))
    return strongest / contrast, float(both[LEFT.start : RIGHT.stop].max()) / contrast


def at_most(rows: Map, share: float) -> Map:
    """Of each column what that share of its rows does not exceed, between rows interpolated.

    As numpy's percentile, in a fifth of its time.
    """
    place = share * (len(rows) - 1)
    low = int(place)
    lower, upper = np.sort(rows, axis=0)[low : low + 2]
    return np.asarray(lower + np.float32(place - low) * (upper - lower), np.float32)


def _leaning(row: Map, px: int) -> Map:
    """Each column's strongest neighbour."""
    return np.asarray(cv2.dilate(row[None], np.ones((1, px), np.uint8))[0])
