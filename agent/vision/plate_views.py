"""What the recogniser's network sees of one plate: in one crop of it, or where that is not sure, in
two or three, whose readings are averaged.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.vision.ctc import Reading, averaged, decode, softmax
from agent.vision.grey import standardised
from agent.vision.straight_plate import straightened
from agent.vision.syntax import weighed

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
# Margins around the plate's corners, as shares of the input's sides, as in the training.
CLOSE = (0.02, 0.05)
# Margins of more crops of a plate that is not read surely; still within the training's spread.
LOOSE, TIGHT = (0.038, 0.085), (0.0, 0.02)
SURE, HOPELESS = 0.97, 0.1  # from here on one crop is enough; up to here more change nothing
LIFT, LIFTED_BELOW = 0.8, 0.9  # see lifted(); from there on a text is told as sure
# From and to of a two-row plate's height. They overlap because city names lie above.
UPPER_ROW, LOWER_ROW = (0.0, 0.58), (0.42, 1.0)
CONSIDERED = 8  # readings that the prior over formats chooses among

Map = NDArray[np.float32]


class Session(Protocol):
    """What is needed of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the network saw, best first; the probability of each region; the readings after the
    prior over formats, best first; the first crop's probabilities, step by step, and features.
    """

    seen: list[Reading]
    regions: Map
    ranked: list[Reading]
    steps: Map
    features: Map

    @property
    def best(self) -> Reading:
        """The likeliest reading."""
        return self.ranked[0]


class Views:
    """Over a session of the recogniser's network (models/recognizer.onnx, models/stacked.onnx).

    It takes `crop` float32 N×1×48×128, grey, each standardised, and gives `logits` N×32×37 (blank,
    0–9, A–Z), `region` N×4, logits in the order of REGIONS, and `features` N×160×32, of which it
    computes both.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def view(self, image: Image, box: PlateBox) -> View:
        """What one crop shows, or where that is not sure, what two or three show.

        Errors of several crops agree less than their truths do. What a first crop reads surely
        would gain nothing; two that agree need a third only where they would be told as sure.
        """
        first = self.look(image, box, CLOSE)
        if not HOPELESS < first.best.probability < SURE:
            return first
        second = self.look(image, box, LOOSE)
        view = together(first, second)
        if first.best.text != second.best.text or view.best.probability >= LIFTED_BELOW:
            view = together(first, second, self.look(image, box, TIGHT))
        return replace(view, ranked=lifted(view.ranked))

    def look(self, image: Image, box: PlateBox, inset: tuple[float, float]) -> View:
        """One crop."""
        return self.seen(network_input(image, box, inset))

    def seen(self, crop: Map) -> View:
        """What the network says of it."""
        logits, regions, features = self._session.run(
            ["logits", "region", "features"], {"crop": crop[None, None]}
        )
        steps, chances = softmax(logits[0]), softmax(regions[0])
        seen = decode(steps, CONSIDERED)
        return View(seen, chances, weighed(seen, chances), steps, features[0])


def together(*crops: View) -> View:
    """Several crops' readings averaged; the rest is the first one's."""
    seen, regions = averaged([crop.seen for crop in crops]), crops[0].regions
    return replace(crops[0], seen=seen, ranked=weighed(seen, regions))


def lifted(ranked: list[Reading]) -> list[Reading]:
    """Readings of several crops with the best one's probability raised, the others' lowered to make
    room.

    The mean of crops that disagree is too modest: of texts that it gave 50 to 60 %, 78 % were right
    on rendered passes (bench.pass_frames). Above LIFTED_BELOW nothing is raised, so no text becomes
    sure by this alone: on photographs the gain ended there.
    """
    best, *others = ranked
    raised = best.probability + LIFT * best.probability * max(
        0.0, 1 - best.probability / LIFTED_BELOW
    )
    room = (1 - raised) / (1 - best.probability) if best.probability < 1 else 1.0
    return [
        replace(best, probability=raised),
        *(replace(other, probability=other.probability * room) for other in others),
    ]


def network_input(image: Image, box: PlateBox, inset: tuple[float, float] = CLOSE) -> Map:
    """The plate of an H×W×3 BGR image as the network wants it: 48×128, grey, straight, two rows
    side by side, mean 0, deviation 1.
    """
    if box.rows == 2:
        whole = straightened(image, box, (INPUT_WIDTH_PX // 2, INPUT_HEIGHT_PX * 2), inset)
        return standardised(side_by_side(whole))
    return standardised(straightened(image, box, (INPUT_WIDTH_PX, INPUT_HEIGHT_PX), inset))


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
