"""What is seen of one plate: by the recogniser's network in one crop of it, or where that is not
sure, in one to three more, most of them by a network that was trained on what the first one doubts.

The readings are averaged, since two networks err on other plates (Hansen and Salamon, Neural
network ensembles, 1990).

The mean of several calibrated probabilities is itself too modest, however good each is (Ranjan and
Gneiting, Combining probability forecasts, 2010). Their remedy is a beta map, here with the three
parameters of Kull, Silva Filho and Flach (Beta calibration, 2017).
"""

import math
from collections.abc import Callable
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.values import dataclass, replace
from agent.vision.ctc import Reading, averaged, decode, softmax
from agent.vision.grey import standardised
from agent.vision.straight_plate import straightened
from agent.vision.syntax import weighed

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
STACKED_HEIGHT_PX = 72  # of models/stacked.onnx: three characters stand in the height of one
# Margins around the plate's corners, as shares of the input's sides, as in the training.
CLOSE = (0.02, 0.05)
# Margins of more crops of a plate that is not read surely; still within the training's spread.
LOOSE, TIGHT = (0.038, 0.085), (0.0, 0.02)
# From the first on one look is enough; up to the last more change nothing.
CLEAR, SURE, HOPELESS = 0.97, 0.9, 0.15
# Two looks with this mean would be told as sure, by worth(): two more are asked first.
ASKED_AGAIN_FROM = 0.75
TOLD_AS_SURE = 0.9
# From and to of a two-row plate's height. They overlap because city names lie above.
UPPER_ROW, LOWER_ROW = (0.0, 0.58), (0.42, 1.0)
CONSIDERED = 8  # readings that the prior over formats chooses among
# Fitted by `python -m models.training.recognizer.calibrate` over the recogniser that ships, on part
# *tune* of the photographs and on drawn scenes. Fit it again with the next recogniser.
RIGHT, WRONG, SHIFT = 2.02, 0.28, 2.37

Map = NDArray[np.float32]
Worth = Callable[[float], float]  # from a mean of crops, 0–1, to a probability, 0–1


class Session(Protocol):
    """What is needed of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the network saw, best first; the probability of each region; the readings after the
    prior over formats, best first; the first crop's probabilities, step by step, its features, and
    itself. `stacked`: it was read with characters that stand one above the other. `first`: what
    the first of several looks read; None: there was one. `most`: the confidence of its text at
    most, since the plate may not be whole, or another look sees something else.
    """

    seen: list[Reading]
    regions: Map
    ranked: list[Reading]
    steps: Map
    features: Map
    crop: Map
    stacked: bool = False
    first: Reading | None = None
    most: float = 1.0

    @property
    def best(self) -> Reading:
        """The likeliest reading."""
        return self.ranked[0]


def worth(mean: float) -> float:
    """The probability 0–1 that a text is right to which several crops gave this mean, 0–1."""
    return beta(mean, RIGHT, WRONG, SHIFT)


def as_it_is(mean: float) -> float:
    """The mean itself, as worth()."""
    return mean


def beta(mean: float, right: float, wrong: float, shift: float) -> float:
    """The map itself: log-odds of `right` · ln p − `wrong` · ln(1 − p) + `shift`.

    It rises where `right` and `wrong` are above 0. Nothing stays nothing, and certainty certainty.
    """
    if not 0 < mean < 1:
        return mean
    odds = math.exp(right * math.log(mean) - wrong * math.log1p(-mean) + shift)
    return odds / (1 + odds)


class Views:
    """Over a session of a reading network (recognizer.onnx, reviewer.onnx, stacked.onnx).

    It takes `crop` float32 N×1×`height`×128, grey, each standardised. It gives `logits` N×32×37
    (blank, 0–9, A–Z), `region` N×4, logits in the order of REGIONS, and `features` N×160×32, of
    which it computes both. `worth`: what a mean over several crops is worth. `reviewer`: who looks
    at what one look does not show clearly; None: nobody, and one look has to do.
    """

    def __init__(
        self,
        session: Session,
        worth: Worth = worth,
        height: int = INPUT_HEIGHT_PX,
        reviewer: "Views | None" = None,
    ) -> None:
        self._session, self._worth, self._height = session, worth, height
        self._reviewer = reviewer

    def view(self, image: Image, box: PlateBox, first: View | None = None) -> View:
        """What one look shows, or where that is not clear, what two or four show. `first`: the
        recogniser's at the close crop, where there was one already.

        What is read surely, but not clearly, the reviewer checks: where it reads the same, nothing
        changes. Errors of several looks agree less than their truths do, and those of two networks
        least. What a first look reads as nothing would gain nothing; two that agree need more only
        where they would be told as sure.
        """
        first = first or self.look(image, box, CLOSE)
        before = first.best
        clear = not before.text or not HOPELESS < before.probability < CLEAR
        if clear or self._reviewer is None:
            return first
        second = self._reviewer.seen(first.crop)
        same = second.best.text == before.text
        if same and before.probability >= SURE:
            return first
        view = together(first, second)
        if not same or view.best.probability >= ASKED_AGAIN_FROM:
            more = self.look(image, box, LOOSE), self._reviewer.look(image, box, TIGHT)
            view = together(first, second, *more)
        return replace(view, ranked=calibrated(view.ranked, self._worth))

    def look(self, image: Image, box: PlateBox, inset: tuple[float, float]) -> View:
        """One crop."""
        return self.seen(network_input(image, box, inset, self._height))

    def seen(self, crop: Map) -> View:
        """What the network says of it."""
        logits, regions, features = self._session.run(
            ["logits", "region", "features"], {"crop": crop[None, None]}
        )
        steps, chances = softmax(logits[0]), softmax(regions[0])
        seen = decode(steps, CONSIDERED)
        return View(seen, chances, weighed(seen, chances), steps, features[0], crop)


def together(*crops: View) -> View:
    """Several crops' readings averaged; the rest is the first one's."""
    seen, regions = averaged([crop.seen for crop in crops]), crops[0].regions
    ranked = weighed(seen, regions)
    return replace(crops[0], seen=seen, ranked=ranked, first=crops[0].best)


def calibrated(ranked: list[Reading], worth: Worth = worth) -> list[Reading]:
    """Readings of several crops, best first, the best one's probability as it is worth; the others'
    share what that leaves as they did before.

    A character is as likely right as the whole text at least.
    """
    best, *others = ranked
    told = worth(best.probability)
    room = (1 - told) / (1 - best.probability) if best.probability < 1 else 1.0
    characters = tuple(max(told, confidence) for confidence in best.char_confidence)
    return [
        Reading(best.text, told, characters),
        *(replace(other, probability=other.probability * room) for other in others),
    ]


def network_input(
    image: Image,
    box: PlateBox,
    inset: tuple[float, float] = CLOSE,
    height: int = INPUT_HEIGHT_PX,
) -> Map:
    """The plate of an H×W×3 BGR image as the network wants it: `height`×128, grey, straight, mean
    0, deviation 1; two rows side by side, always 48 high.
    """
    if box.rows == 2:
        whole = straightened(image, box, (INPUT_WIDTH_PX // 2, INPUT_HEIGHT_PX * 2), inset)
        return standardised(side_by_side(whole))
    return standardised(straightened(image, box, (INPUT_WIDTH_PX, height), inset))


def side_by_side(plate: Image) -> Image:
    """The upper and lower row of a straight two-row plate, 96×64, as one row, 48×128."""
    height, width = plate.shape[:2]
    rows = [
        plate[round(top * height) : round(bottom * height)]
        for top, bottom in (UPPER_ROW, LOWER_ROW)
    ]
    return np.hstack(
        [cv2.resize(row, (width, INPUT_HEIGHT_PX), interpolation=cv2.INTER_AREA) for row in rows]
    )
