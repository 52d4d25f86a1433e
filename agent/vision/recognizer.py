"""Reads the plate in one box: straightens it along its corners, runs the recogniser network,
decodes text, confidences, alternatives, region.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Frame, Image, PlateBox, PlateRead
from agent.light_meter import luminance
from agent.vision.aligner import convex_clockwise
from agent.vision.ctc import Reading, averaged, decode, softmax
from agent.vision.grey import standardised
from agent.vision.syntax import REGIONS, weighed

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
# Margins around the plate's corners, as shares of the input's sides, as in the training.
CLOSE = (0.02, 0.05)
# Margins of more crops of a plate that is not read surely; still within the training's spread.
LOOSE, TIGHT = (0.038, 0.085), (0.0, 0.02)
SURE, HOPELESS = 0.97, 0.1  # from here on one crop is enough; up to here more change nothing
LIFT, LIFTED_BELOW = 0.8, 0.9  # see lifted(); from there on a text is told as sure
# From and to of a two-row plate's height. They overlap because city names lie above.
UPPER_ROW, LOWER_ROW = (0.0, 0.58), (0.42, 1.0)
LARGEST_STRAIGHTENED = 4  # times the input: bounds the work for a plate that fills the frame
CROP_MARGIN = 0.15  # of the box's sides: what a person needs to see around the plate
ALTERNATIVES = 5
CONSIDERED = 8  # readings that the prior over formats chooses among
LEAST_ALTERNATIVE = 1e-3
# No issuer of these regions writes more characters. It is most likely two plates, or a plate and
# letters beside it, read as one.
LONGEST, TOO_LONG = 9, 0.5
SURE_REGION = 0.97  # below that the region is "unknown"

Map = NDArray[np.float32]
Corners = Sequence[tuple[float, float]]


class Session(Protocol):
    """What the reader needs of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


@dataclass(frozen=True, slots=True)
class View:
    """What the network saw, best first; the probability of each region; the readings after the
    prior over formats, best first.
    """

    seen: list[Reading]
    regions: Map
    ranked: list[Reading]

    @property
    def best(self) -> Reading:
        """The likeliest reading."""
        return self.ranked[0]


class OnnxPlateReader:
    """Implements ports.PlateReader over the session of models/recognizer.onnx.

    The session takes `crop` float32 N×1×48×128, grey, each standardised, and gives `logits` N×32×37
    (blank, 0–9, A–Z) and `region` N×4, logits in the order of REGIONS. Limit: the issuing state is
    never named, so that a match is by text.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """Text, confidences and alternatives of one box; an unreadable plate gives an empty text
        and confidence 0.
        """
        view = self._view(frame.image, box)
        if box.rows == 2 and view.best.probability < SURE:
            # A dealer's name above the plate looks like an upper row of text: whether it is one,
            # the text says better than the aligner.
            one_row = replace(box, rows=1)
            as_one = self._view(frame.image, one_row)
            if as_one.best.probability > view.best.probability:
                box, view = one_row, as_one
        best, *others = view.ranked
        crop = cut(frame.image, box, CROP_MARGIN).copy()
        return PlateRead(
            box=box,
            text=PlateText(best.text),
            confidence=confidence(best),
            char_confidence=best.char_confidence,
            alternatives=alternatives(others[:ALTERNATIVES]),
            region=region_of(view.regions) if best.text else "unknown",
            state=None,
            crop=crop,
            sharpness=sharpness(crop),
            captured=frame.captured,
            network_text=None if best.text == view.seen[0].text else PlateText(view.seen[0].text),
        )

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
        logits, regions = self._session.run(
            ["logits", "region"], {"crop": network_input(image, box, inset)[None, None]}
        )
        seen, chances = decode(softmax(logits[0]), CONSIDERED), softmax(regions[0])
        return View(seen, chances, weighed(seen, chances))


def together(*crops: View) -> View:
    """Several crops' readings averaged; the region is the first one's."""
    seen, regions = averaged([crop.seen for crop in crops]), crops[0].regions
    return View(seen, regions, weighed(seen, regions))


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


def confidence(reading: Reading) -> float:
    """0–1, that the text is what stands on the plate."""
    if not reading.text:
        return 0.0
    return (
        min(reading.probability, TOO_LONG) if len(reading.text) > LONGEST else reading.probability
    )


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


def straightened(
    image: Image, box: PlateBox, sides: tuple[int, int], inset: tuple[float, float] = CLOSE
) -> Image:
    """The quadrilateral of the box's corners pulled straight, grey, `sides` wide and high in px,
    with the inset around it.
    """
    # Plain floats: on four corners numpy costs as much as the picture itself.
    corners = proper_corners(box)
    # A large plate is first pulled straight at a multiple of the input, then averaged down:
    # sampling it directly would alias.
    scale = min(max(1, int(math.dist(corners[0], corners[1]) / sides[0])), LARGEST_STRAIGHTENED)
    wide, high = sides[0] * scale, sides[1] * scale
    left = inset[0] * wide
    right = (1 - inset[0]) * wide
    top = inset[1] * high
    bottom = (1 - inset[1]) * high
    target = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], np.float32)
    part, x0, y0 = around(image, corners)
    matrix = cv2.getPerspectiveTransform(
        np.array([(x - x0, y - y0) for x, y in corners], np.float32), target
    )
    straight = cv2.warpPerspective(
        luminance(part), matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(
        straight if scale == 1 else cv2.resize(straight, sides, interpolation=cv2.INTER_AREA),
        np.uint8,
    )


def around(image: Image, corners: Corners) -> tuple[Image, int, int]:
    """The part of the image that the corners' surroundings lie in, at least 1×1, and where it
    begins: x, y px.
    """
    height, width = image.shape[:2]
    (x0, x1), (y0, y1) = (
        stretch([corner[axis] for corner in corners], side)
        for axis, side in ((0, width), (1, height))
    )
    return image[y0:y1, x0:x1], x0, y0


def stretch(places: list[float], side: int) -> tuple[int, int]:
    """From the first to the last of them with a margin, in whole px, at least one and inside
    0–side.
    """
    low, high = min(places), max(places)
    margin = 0.2 * (high - low) + 2
    first = min(max(0, math.floor(low - margin)), side - 1)
    return first, min(max(first + 1, math.ceil(high + margin)), side)


def proper_corners(box: PlateBox) -> Corners:
    """The box's corners when they make a convex quadrilateral, clockwise; else the upright
    box's.
    """
    xs, ys = [x for x, _ in box.corners], [y for _, y in box.corners]
    if convex_clockwise(xs, ys):
        return box.corners
    x, y, width, height = box.box
    width, height = max(width, 1.0), max(height, 1.0)
    return (x, y), (x + width, y), (x + width, y + height), (x, y + height)


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
