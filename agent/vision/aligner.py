"""Looks closer at what the detector proposes: finds the plate's four corners, says whether it is a
plate, in one row of text or two.

The detector sees the whole frame shrunk: a plate may be four cells wide there, its box off by a
third. This network sees each proposal with its surroundings at the frame's own resolution. That is
cheap, 96×64 px, and the reader's crop is cut along these corners.
"""

import math
from collections.abc import Callable, Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.overlap import overlap
from agent.core.reading.sighting import Frame, Image, PlateBox, PlateRead
from agent.light_meter import luminance
from agent.ports import PlateDetector
from agent.values import replace
from agent.vision.grey import halved, standardised

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 96, 64
AROUND_X, AROUND_Y = 0.3, 0.5  # of the box's sides, added on each side
DEFAULT_THRESHOLD = 0.2  # the manifest's is used where there is one
EARLY = 0.05  # what is less likely at the first look gets no second
# Beside a plate that the first look finds clear, what is not half as wide gets no look where the
# proposer hardly saw it, or saw it faintly and it is too narrow to be read: it is none, or too far.
CLEAR, SMALL = 0.9, 0.5
HARDLY, FAINT, UNREADABLE_PX = 0.05, 0.2, 40
# Beside such a plate, what is faint or small needs this at the first look to get a second.
LIKELY = 0.5
# Proposer and aligner err apart: the odds are the aligner's, times this power of the proposer's.
# Either alone keeps more of what is no plate.
PROPOSER_COUNTS = 0.5
# On a stream, a proposal on a known plate's place is that plate from this confidence on. Where it
# has gone, or something has come before it, less is proposed, and the aligner is asked.
FOLLOWED_FROM = 0.2
# So is what the first look sees there from this confidence on.
KNOWN_FROM = 0.55
# What looks only half like a plate must be legible to be one: chance × (text's confidence +
# LEGIBLE) has to reach SURE × LEGIBLE.
LEGIBLE, SURE = 0.1, 0.985
# A small picture of a plate's proportions may be a cutting, one plate from edge to edge. Neither
# network was shown such: its text decides.
CUTTING_PX, CUTTING_ASPECT = 480, (1.6, 6.0)
# Share of a cutting that is left off on each side, and the confidence that its text must reach.
CUTTING_EDGE, CUTTING_LEGIBLE = 0.02, 0.57
OVERLAP_IS_SAME = 0.3  # intersection over union: proposals that end on one plate

LEAST_TURN = 1e-3  # px²: three corners on one line are no quadrilateral

Map = NDArray[np.float32]
Known = Callable[[Frame, PlateBox], PlateRead | None]


def unknown(_frame: Frame, _box: PlateBox) -> None:
    """Nothing is known of single pictures."""


class Session(Protocol):
    """What the aligner needs of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


class AligningDetector:
    """Implements ports.PlateDetector: another detector's proposals, aligned, without what is no
    plate.

    The session takes `crop` float32 N×1×64×96, grey, each standardised, and gives `corners` N×8 (x,
    y as shares of the crop, top left first, clockwise) and `chances` N×2 (that it is a plate; that
    its text has two rows), 0–1. A plate's confidence weighs both networks.
    """

    def __init__(
        self,
        proposer: PlateDetector,
        session: Session,
        threshold: float = DEFAULT_THRESHOLD,
        known: Known = unknown,
    ) -> None:
        self._proposer = proposer
        self._session = session
        self._threshold = threshold
        self._known = known

    def following(self, known: Known, proposer: PlateDetector | None = None) -> "AligningDetector":
        """The same, for one stream of frames, perhaps with another proposer.

        A proposal that is known without reading it needs no look, its upright box is enough to
        follow it; one that turns out to be known at the first look needs no second.
        """
        return AligningDetector(proposer or self._proposer, self._session, self._threshold, known)

    @property
    def proposer(self) -> PlateDetector:
        """Whose proposals are aligned."""
        return self._proposer

    def find_plates(self, frame: Frame) -> tuple[PlateBox, ...]:
        """All plates, best first, with the corners of their edge; boxes in px of the frame and
        inside it.
        """
        grey = replace(frame, image=luminance(frame.image))  # once, for both networks
        return (
            *self._cutting(grey.image),
            *self._align(grey, self._proposer.find_plates(grey)),
        )

    def _cutting(self, image: Image) -> list[PlateBox]:
        """The picture as one plate, from edge to edge and along the corners that two looks find,
        whatever their chance.
        """
        height, width = image.shape[:2]
        if width > CUTTING_PX or not CUTTING_ASPECT[0] <= width / height <= CUTTING_ASPECT[1]:
            return []
        edges = edge_to_edge(width, height)
        aligned = [
            plate for plate, _ in self._look(image, [at for at, _ in self._look(image, [edges])])
        ]
        return [
            replace(plate, least_text=CUTTING_LEGIBLE, whole=True) for plate in (edges, *aligned)
        ]

    def _align(self, frame: Frame, proposals: Sequence[PlateBox]) -> list[PlateBox]:
        # The second look starts where the first one ended: it halves what is left of the corners'
        # error.
        enough, new, likely = list[PlateBox](), list[PlateBox](), list[PlateBox]()
        for one in proposals:
            followed = one.confidence >= FOLLOWED_FROM and self._known(frame, one) is not None
            (enough if followed else new).append(one)
        for plate, proposal in self._first_looks(frame.image, new):
            if plate.confidence >= KNOWN_FROM and self._known(frame, plate) is not None:
                enough.append(plate)
            else:
                likely.append(replace(plate, confidence=proposal))
        second = self._second_looks(frame.image, likely)
        found: list[PlateBox] = []
        for plate in sorted(enough + second, key=lambda plate: -plate.confidence):
            if not any(overlap(plate.box, other.box) > OVERLAP_IS_SAME for other in found):
                found.append(plate)
        return found

    def _first_looks(
        self, image: Image, proposals: Sequence[PlateBox]
    ) -> list[tuple[PlateBox, float]]:
        """What may be a plate, as _look: the faint proposals are looked at last, since a clear
        plate spares small ones.
        """
        seen = self._look(image, [one for one in proposals if one.confidence >= FAINT], EARLY)
        least_px = _least_beside([plate for plate, _ in seen])
        faint = [one for one in proposals if one.confidence < FAINT and _counts(one, least_px)]
        seen += self._look(image, faint, EARLY)
        if not least_px:
            return seen
        return [
            (plate, proposal)
            for plate, proposal in seen
            if plate.confidence >= LIKELY or (proposal >= FAINT and plate.box[2] >= least_px)
        ]

    def _second_looks(self, image: Image, likely: Sequence[PlateBox]) -> list[PlateBox]:
        """Plates. Beside a clear one, what is not half as wide must be clear itself."""
        seen = [plate for plate, _ in self._look(image, likely, self._threshold)]
        least_px = _least_beside(seen)
        return [one for one in seen if one.confidence >= CLEAR or one.box[2] >= least_px]

    def _look(
        self, image: Image, proposals: Sequence[PlateBox], least: float = 0.0
    ) -> list[tuple[PlateBox, float]]:
        """As the network sees them: the proposals that are plates with at least that confidence,
        and the confidence that the proposer had.
        """
        if not proposals:
            return []
        regions = [region_around(proposal.box) for proposal in proposals]
        crops = np.stack([network_input(image, region) for region in regions])[:, None]
        corners, chances = self._session.run(["corners", "chances"], {"crop": crops})
        looked: list[tuple[PlateBox, float]] = []
        for proposal, region, shares, (chance, two_rows) in zip(
            proposals, regions, corners.tolist(), chances.tolist(), strict=True
        ):
            sure = both(proposal.confidence, chance)
            plate = _plate(image, shares, region, sure, two_rows) if sure >= least else None
            if plate is not None:
                looked.append((plate, proposal.confidence))
        return looked


def _least_beside(plates: Sequence[PlateBox]) -> float:
    """How wide a plate must be beside the widest clear one of these, px; 0 where none is clear."""
    return SMALL * max((one.box[2] for one in plates if one.confidence >= CLEAR), default=0.0)


def _counts(faint: PlateBox, least_px: float) -> bool:
    """Is it worth a look? `least_px`: wide, that is half of a clear plate beside it."""
    width = faint.box[2]
    return width >= least_px or (faint.confidence >= HARDLY and width >= UNREADABLE_PX)


def both(proposer: float, aligner: float) -> float:
    """The chance of a plate, 0–1, by what both networks say."""
    least = 1e-6
    odds = [max(chance, least) / max(1 - chance, least) for chance in (proposer, aligner)]
    weighed = math.pow(odds[0], PROPOSER_COUNTS) * odds[1]
    return weighed / (1 + weighed)


def edge_to_edge(width: int, height: int) -> PlateBox:
    """A whole picture of that size as a plate."""
    (left, right), (top, bottom) = (
        (side * CUTTING_EDGE, side * (1 - CUTTING_EDGE)) for side in (width, height)
    )
    return PlateBox(
        (0.0, 0.0, float(width), float(height)),
        ((left, top), (right, top), (right, bottom), (left, bottom)),
        confidence=0.5,
    )


def region_around(box: tuple[float, float, float, float]) -> Map:
    """x0, y0, x1, y1 in px of the box x, y, width, height with its surroundings; may reach out of
    the image.
    """
    x, y, width, height = box
    return np.array(
        [
            x - AROUND_X * width,
            y - AROUND_Y * height,
            x + (1 + AROUND_X) * width,
            y + (1 + AROUND_Y) * height,
        ],
        np.float32,
    )


def network_input(image: Image, region: Map) -> Map:
    """The region of an H×W×3 BGR or H×W grey image as the network wants it: 64×96, grey, mean 0,
    standard deviation 1.
    """
    height, width = image.shape[:2]
    x0, y0, x1, y1 = whole_px(region)
    part = image[max(0, y0) : min(height, y1), max(0, x0) : min(width, x1)]
    if part.size == 0:
        return np.zeros((INPUT_HEIGHT_PX, INPUT_WIDTH_PX), np.float32)
    grey = luminance(part)
    beyond = (max(0, -y0), max(0, y1 - height), max(0, -x0), max(0, x1 - width))
    if any(beyond):
        grey = np.asarray(cv2.copyMakeBorder(grey, *beyond, cv2.BORDER_REPLICATE), np.uint8)
    grey = halved(grey, INPUT_WIDTH_PX, INPUT_HEIGHT_PX)
    size = (INPUT_WIDTH_PX, INPUT_HEIGHT_PX)
    if grey.shape[1] <= INPUT_WIDTH_PX:
        return standardised(
            np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR), np.uint8)
        )
    # Averaging by a fraction takes five times as long as enlarging to twice the size and averaging
    # two by two.
    double = cv2.resize(grey, (2 * size[0], 2 * size[1]), interpolation=cv2.INTER_LINEAR)
    return standardised(
        np.asarray(cv2.resize(double, size, interpolation=cv2.INTER_AREA), np.uint8)
    )


def whole_px(region: Map) -> tuple[int, int, int, int]:
    """The region's edges as pixel indices, at least one pixel each way."""
    # Plain floats: numpy takes three times as long on four numbers.
    left, top, right, bottom = region.tolist()
    x0, y0 = math.floor(left), math.floor(top)
    return x0, y0, max(x0 + 1, math.ceil(right)), max(y0 + 1, math.ceil(bottom))


def _plate(
    image: Image, shares: list[float], region: Map, sure: float, two_rows: float
) -> PlateBox | None:
    """The network's answer in px of the image; None when its corners are no proper quadrilateral or
    nothing of it lies inside.
    """
    x0, y0, x1, y1 = whole_px(region)
    # Plain floats: on eight numbers numpy costs ten times as much.
    xs = [x0 + share * (x1 - x0) for share in shares[0::2]]
    ys = [y0 + share * (y1 - y0) for share in shares[1::2]]
    if not math.isfinite(sure) or not convex_clockwise(xs, ys):
        return None
    height, width = image.shape[:2]
    left, right = max(0.0, min(xs)), min(float(width), max(xs))
    top, bottom = max(0.0, min(ys)), min(float(height), max(ys))
    if right - left < 1 or bottom - top < 1:
        return None
    corners = ((xs[0], ys[0]), (xs[1], ys[1]), (xs[2], ys[2]), (xs[3], ys[3]))
    least_text = max(0.0, LEGIBLE * (SURE / max(sure, 1e-6) - 1))
    return PlateBox(
        (left, top, right - left, bottom - top),
        corners,
        sure,
        rows=2 if two_rows > 0.5 else 1,
        least_text=least_text,
    )


def convex_clockwise(xs: list[float], ys: list[float]) -> bool:
    """Whether four points, all finite, in this order turn right at every corner (y points down)."""
    if not all(map(math.isfinite, (*xs, *ys))):
        return False
    dx = [xs[(i + 1) % 4] - xs[i] for i in range(4)]
    dy = [ys[(i + 1) % 4] - ys[i] for i in range(4)]
    return all(dx[i] * dy[(i + 1) % 4] - dy[i] * dx[(i + 1) % 4] > LEAST_TURN for i in range(4))
