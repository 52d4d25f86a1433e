"""Reads the plate in one box: straightens it along its corners, runs the recogniser network,
decodes text, confidences, alternatives, region, and why none of it may be sure.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import (
    MOST_WHEN_LIMITED,
    Alternative,
    Frame,
    Image,
    PlateBox,
    PlateRead,
)
from agent.core.reasons import Limit
from agent.core.wire.test_plate import is_test_plate
from agent.light_meter import luminance
from agent.vision.ctc import Reading, averaged, decode, middles, softmax
from agent.vision.grey import standardised
from agent.vision.straight_plate import straightened
from agent.vision.syntax import REGIONS, weighed
from agent.vision.whole import limits
from agent.vision.whole.wholeness import Sight

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
# Margins around the plate's corners, as shares of the input's sides, as in the training.
CLOSE = (0.02, 0.05)
# Margins of more crops of a plate that is not read surely; still within the training's spread.
LOOSE, TIGHT = (0.038, 0.085), (0.0, 0.02)
SURE, HOPELESS = 0.97, 0.1  # from here on one crop is enough; up to here more change nothing
LIFT, LIFTED_BELOW = 0.8, 0.9  # see lifted(); from there on a text is told as sure
# From and to of a two-row plate's height. They overlap because city names lie above.
UPPER_ROW, LOWER_ROW = (0.0, 0.58), (0.42, 1.0)
CROP_MARGIN = 0.15  # of the box's sides: what a person needs to see around the plate
ALTERNATIVES = 5
CONSIDERED = 8  # readings that the prior over formats chooses among
LEAST_ALTERNATIVE = 1e-3
SURE_REGION = 0.97  # below that the region is "unknown"
# A read less confident than this is told as it is. Of a plate's every frame half sure, a vote would
# make a sure one: so they are looked at too.
JUDGED_FROM = 0.3
FEWEST = 2  # characters that have a distance
# What is read out of mirrored characters, almost alone: only such a text is worth another look.
MIRRORABLE = frozenset("012389ACEHIJLMOQSTUVWXY")

Map = NDArray[np.float32]
Whole = Callable[[Image, PlateBox, Sight], bool]  # was the whole plate seen?
IssuerOf = Callable[[Image, PlateBox], str | None]  # which state issued it, as `US-CA`?
WITH_STATES = "us"  # the region whose small print may name a state


class Session(Protocol):
    """What the reader needs of an onnxruntime session."""

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


class OnnxPlateReader:
    """Implements ports.PlateReader over the session of models/recognizer.onnx.

    The session takes `crop` float32 N×1×48×128, grey, each standardised, and gives `logits` N×32×37
    (blank, 0–9, A–Z), `region` N×4, logits in the order of REGIONS, and `features` N×160×32, of
    which it computes both. `whole` is wholeness.Wholeness on a camera, `issuer` is issuer.Issuer.
    `longest`: characters of the longest plates that are issued where the camera stands. Limit:
    without `issuer`, and where it is silent, the issuing state is not named, so that a match is by
    text.
    """

    def __init__(
        self,
        session: Session,
        whole: Whole,
        issuer: IssuerOf | None = None,
        longest: int = limits.LONGEST,
    ) -> None:
        self._session, self._whole, self._issuer = session, whole, issuer
        self._longest = longest

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """Text, confidences and alternatives of one box; an unreadable plate gives an empty text
        and confidence 0.
        """
        view, found = self._view(frame.image, box), set(box.limits)
        if box.rows == 2 and view.best.probability < SURE:
            # A dealer's name above the plate looks like an upper row of text: whether it is one,
            # the text says better than the aligner.
            one_row = replace(box, rows=1)
            as_one = self._view(frame.image, one_row)
            if as_one.best.probability > view.best.probability:
                box, view = one_row, as_one
                found |= limits.by_rows(box)
        best, *others = view.ranked
        region = region_of(view.regions) if best.text else "unknown"
        found |= limits.by_place(box, *frame.image.shape[1::-1])
        found |= limits.by_text(best.text, region, self._longest)
        if not found:
            found |= self._unlike_a_whole(frame.image, box, view)
        told = confidence(best, box, limited=bool(found))
        crop = cut(frame.image, box, CROP_MARGIN).copy()
        return PlateRead(
            box=box,
            text=PlateText(best.text),
            confidence=told,
            char_confidence=best.char_confidence,
            alternatives=alternatives(others[:ALTERNATIVES]),
            region=region,
            state=self._state(frame.image, box, region, told, best.text),
            crop=crop,
            sharpness=sharpness(crop),
            captured=frame.captured,
            network_text=None if best.text == view.seen[0].text else PlateText(view.seen[0].text),
            limits=frozenset(found),
        )

    def _state(
        self, image: Image, box: PlateBox, region: str, told: float, text: str
    ) -> str | None:
        """Of a plate whose text is told as sure alone: of another, the state would help nobody."""
        if self._issuer is None or told < LIFTED_BELOW or region != WITH_STATES:
            return None
        return None if is_test_plate(text) else self._issuer(image, box)

    def _unlike_a_whole(self, image: Image, box: PlateBox, view: View) -> frozenset[Limit]:
        """What the picture has against a text that place and characters allow."""
        best = view.best
        if box.whole or len(best.text) < FEWEST or best.probability < JUDGED_FROM:
            return frozenset()
        if is_test_plate(best.text):  # in no issuer's format, and whole by its check character
            return frozenset()
        if not self._whole(image, box, sight(view)):
            return frozenset({Limit.HIDDEN})
        if MIRRORABLE.issuperset(best.text) and self._mirrored(image, box, best):
            return frozenset({Limit.MIRRORED})
        return frozenset()

    def _mirrored(self, image: Image, box: PlateBox, best: Reading) -> bool:
        """Does the picture say more surely something else when left and right are exchanged?"""
        crop = np.ascontiguousarray(network_input(image, box)[:, ::-1])
        turned = self._seen(crop).best
        return turned.text != best.text and turned.probability > best.probability

    def _view(self, image: Image, box: PlateBox) -> View:
        """What one crop shows, or where that is not sure, what two or three show.

        Errors of several crops agree less than their truths do. What a first crop reads surely
        would gain nothing; two that agree need a third only where they would be told as sure.
        """
        first = self._look(image, box, CLOSE)
        if not HOPELESS < first.best.probability < SURE:
            return first
        second = self._look(image, box, LOOSE)
        view = together(first, second)
        if first.best.text != second.best.text or view.best.probability >= LIFTED_BELOW:
            view = together(first, second, self._look(image, box, TIGHT))
        return replace(view, ranked=lifted(view.ranked))

    def _look(self, image: Image, box: PlateBox, inset: tuple[float, float]) -> View:
        """One crop."""
        return self._seen(network_input(image, box, inset))

    def _seen(self, crop: Map) -> View:
        """What the network says of it."""
        logits, regions, features = self._session.run(
            ["logits", "region", "features"], {"crop": crop[None, None]}
        )
        steps, chances = softmax(logits[0]), softmax(regions[0])
        seen = decode(steps, CONSIDERED)
        return View(seen, chances, weighed(seen, chances), steps, features[0])


def sight(view: View) -> Sight:
    """What wholeness is judged by; characters' middles as shares of the plate's width."""
    crosswise = len(view.steps) * (1 - 2 * CLOSE[0])
    start = len(view.steps) * CLOSE[0] - 0.5
    text = view.best.text
    places = [(step - start) / crosswise for step in middles(view.steps, text)]
    return Sight(text, places, view.regions.tolist(), view.features)


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


def confidence(reading: Reading, box: PlateBox, *, limited: bool) -> float:
    """0–1, that the text is what stands on the plate; of a limited one never enough to be sure.

    A person's cutting stays as legible as it has to be to count as one.
    """
    if not reading.text:
        return 0.0
    most = max(MOST_WHEN_LIMITED, box.least_text) if limited else 1.0
    return min(reading.probability, most)


def alternatives(readings: list[Reading]) -> tuple[Alternative, ...]:
    """Other texts worth telling, likeliest first."""
    return tuple(
        Alternative(PlateText(r.text), r.probability)
        for r in readings
        if r.text and r.probability >= LEAST_ALTERNATIVE
    )


def region_of(probabilities: Map) -> str:
    """The region when one is sure, else "unknown"."""
    best = int(probabilities.argmax())
    return REGIONS[best] if probabilities[best] >= SURE_REGION else "unknown"


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


def cut(image: Image, box: PlateBox, margin: float) -> Image:
    """The upright box with a margin (share of its sides), clipped to the image; at least 1×1.

    A view, not a copy.
    """
    x, y, width, height = box.box
    x0, y0 = int(max(0, x - width * margin)), int(max(0, y - height * margin))
    x1 = round(min(image.shape[1], x + width * (1 + margin)))
    y1 = round(min(image.shape[0], y + height * (1 + margin)))
    x0, y0 = min(x0, image.shape[1] - 1), min(y0, image.shape[0] - 1)
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def sharpness(crop: Image) -> float:
    """Variance of the Laplacian of the grey crop: higher is sharper (Pech-Pacheco et al., 2000)."""
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luminance(crop), cv2.CV_16S))
    return float(deviation[0, 0]) ** 2
