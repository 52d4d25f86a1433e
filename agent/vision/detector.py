"""Proposes where plates are in a frame: one pass of the detector network over the whole frame's luminance, shrunk to its input."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.sighting import Frame, Image, PlateBox, Point

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 640, 384
STRIDE_PX = 8
PAD_GREY = 114  # as in the training

DEFAULT_THRESHOLD = 0.35  # the manifest's is used where there is one
MOST_PEAKS = 64  # before overlaps are removed: bounds the work for a frame full of signs
MOST_PLATES = 32
OVERLAP_IS_SAME = 0.25  # intersection over union; two real plates never overlap
INSIDE_IS_SAME = 0.7  # share of the smaller box that lies in the other
CORNER_SLACK = 0.3  # of the box's sides: a corner farther outside is a failed regression

Map = NDArray[np.float32]


class Session(Protocol):
    """What the detector needs of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Image]) -> list[Map]: ...


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a frame lies in the network's input: input px = frame px x scale + offset."""

    scale: float
    left_px: float
    top_px: float


class OnnxPlateDetector:
    """Implements ports.PlateDetector over the session of models/detector.onnx.

    The session takes `frame` uint8 1x1x384x640 grey and gives `score` 1x1x48x80 (0–1), `box` 1x4x48x80 (left, top, right, bottom
    from the cell's centre) and `corners` 1x8x48x80 (x, y from the cell's centre; top left first, clockwise), both in cells of 8 px.
    """

    def __init__(self, session: Session, threshold: float = DEFAULT_THRESHOLD) -> None:
        self._session = session
        self._threshold = threshold

    def find_plates(self, frame: Frame) -> tuple[PlateBox, ...]:
        """All plates, best first, boxes in px of the frame and inside it. Plates narrower than about 14 input px are not found."""
        picture, letterbox = fit(frame.image)
        score, box, corners = self._session.run(["score", "box", "corners"], {"frame": picture[None, None]})
        height, width = frame.image.shape[:2]
        found = decode(score[0, 0], box[0], corners[0], self._threshold)
        plates = (_in_frame(plate, letterbox, width, height) for plate in found)
        return tuple(plate for plate in plates if plate is not None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plate in px of the network's input: x0, y0, x1, y1; four corners, 4 x 2; score 0–1."""

    hull: Map
    corners: Map
    score: float


def fit(image: Image) -> tuple[Image, Letterbox]:
    """The whole image, H x W x 3 BGR, grey and centred in 384 x 640 without distortion, and where it lies."""
    height, width = image.shape[:2]
    scale = min(INPUT_WIDTH_PX / width, INPUT_HEIGHT_PX / height)
    new_width = min(INPUT_WIDTH_PX, max(1, round(width * scale)))
    new_height = min(INPUT_HEIGHT_PX, max(1, round(height * scale)))
    small = shrunk(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), new_width, new_height)
    left, top = (INPUT_WIDTH_PX - new_width) // 2, (INPUT_HEIGHT_PX - new_height) // 2
    picture = np.full((INPUT_HEIGHT_PX, INPUT_WIDTH_PX), PAD_GREY, np.uint8)
    picture[top : top + new_height, left : left + new_width] = small
    return picture, Letterbox(scale, float(left), float(top))


def shrunk(grey: Image, new_width: int, new_height: int) -> Image:
    """Averaged by a whole factor first, which keeps thin strokes from aliasing, then interpolated: ten times as fast as averaging by a fraction."""
    height, width = grey.shape
    factor = min(width // new_width, height // new_height)
    if factor >= 2:
        whole = grey[: height // factor * factor, : width // factor * factor]
        grey = np.asarray(cv2.resize(whole, (width // factor, height // factor), interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(grey, (new_width, new_height), interpolation=cv2.INTER_LINEAR), np.uint8)


def decode(score: Map, box: Map, corners: Map, threshold: float) -> list[Candidate]:
    """Peaks of the score map (H x W) that reach the threshold, without duplicates, best first."""
    peak = cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((score >= threshold) & (score == peak))
    order = np.argsort(-score[rows, columns], kind="stable")[:MOST_PEAKS]
    kept: list[Candidate] = []
    for row, column in zip(rows[order], columns[order], strict=True):
        candidate = _candidate(score, box, corners, int(row), int(column))
        if len(kept) < MOST_PLATES and not any(_same(candidate.hull, other.hull) for other in kept):
            kept.append(candidate)
    return kept


def _candidate(score: Map, box: Map, corners: Map, row: int, column: int) -> Candidate:
    centre = np.array([column + 0.5, row + 0.5], np.float32)
    sides = box[:, row, column]
    hull = np.concatenate([centre - sides[:2], centre + sides[2:]]) * STRIDE_PX
    points = (corners[:, row, column].reshape(4, 2) + centre) * STRIDE_PX
    return Candidate(hull, points, float(score[row, column]))


def _same(first: Map, second: Map) -> bool:
    """Whether two hulls are one plate: they overlap much, or one lies in the other."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    if (sides <= 0).any():
        return False
    shared = float(sides.prod())
    one, two = float((first[2:] - first[:2]).prod()), float((second[2:] - second[:2]).prod())
    return shared > OVERLAP_IS_SAME * (one + two - shared) or shared > INSIDE_IS_SAME * min(one, two)


def _in_frame(plate: Candidate, letterbox: Letterbox, width: int, height: int) -> PlateBox | None:
    """The candidate in px of the frame, clipped to it; None when nothing of it lies inside."""
    shift = np.array([letterbox.left_px, letterbox.top_px], np.float32)
    low = np.clip((plate.hull[:2] - shift) / letterbox.scale, 0, [width, height])
    high = np.clip((plate.hull[2:] - shift) / letterbox.scale, 0, [width, height])
    size = high - low
    if (size < 1).any():
        return None
    x, y, w, h = float(low[0]), float(low[1]), float(size[0]), float(size[1])
    points = (plate.corners - shift) / letterbox.scale
    corners = _points(points) if _sane(points, low, high) else ((x, y), (x + w, y), (x + w, y + h), (x, y + h))
    return PlateBox((x, y, w, h), corners, plate.score)


def _sane(points: NDArray[np.floating], low: NDArray[np.floating], high: NDArray[np.floating]) -> bool:
    """Whether four corners make a convex quadrilateral, clockwise, near its own box."""
    slack = CORNER_SLACK * (high - low)
    if (points < low - slack).any() or (points > high + slack).any():
        return False
    edges = np.roll(points, -1, axis=0) - points
    following = np.roll(edges, -1, axis=0)
    return bool((edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all())


def _points(points: NDArray[np.floating]) -> tuple[Point, Point, Point, Point]:
    top_left, top_right, bottom_right, bottom_left = ((float(x), float(y)) for x, y in points)
    return top_left, top_right, bottom_right, bottom_left
