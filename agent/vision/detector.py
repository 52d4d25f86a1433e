"""Proposes where plates are in a frame: one pass of the detector network over the whole frame's
luminance, shrunk to its input.
"""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.overlap import Box, same_plate
from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.light_meter import luminance
from agent.values import dataclass
from agent.vision.grey import shrunk

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 640, 384  # at most
STRIDE_PX, WHOLE_PX = 8, 32  # of a cell; what the input's sides must be multiples of
PAD_GREY = 114  # as in the training

DEFAULT_THRESHOLD = 0.35  # the manifest's is used where there is one
MOST_PEAKS = 64  # before overlaps are removed: bounds the work for a frame full of signs
MOST_PLATES = 32

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

    The session takes `frame` uint8 1x1xHxW grey, H and W multiples of 32, and gives `score`
    1x1xH/8xW/8 (0–1) and `box` 1x4xH/8xW/8 (left, top, right, bottom from the cell's centre, in
    cells of 8 px). Corners are the aligner's; a proposal's are those of its upright box.
    """

    def __init__(self, session: Session, threshold: float = DEFAULT_THRESHOLD) -> None:
        self._session = session
        self._threshold = threshold

    def find_plates(self, frame: Frame) -> tuple[PlateBox, ...]:
        """All plates, best first, boxes in px of the frame and inside it.

        Plates narrower than about 14 input px are not found.
        """
        picture, letterbox = fit(frame.image)
        score, box = self._session.run(["score", "box"], {"frame": picture[None, None]})
        height, width = frame.image.shape[:2]
        found = decode(score[0, 0], box[0], self._threshold)
        plates = (_in_frame(plate, letterbox, width, height) for plate in found)
        return tuple(plate for plate in plates if plate is not None)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A plate in px of the network's input: x, y, width, height; score 0–1."""

    box: Box
    score: float


def fit(image: Image) -> tuple[Image, Letterbox]:
    """The whole image, H x W x 3 BGR, grey, as large as fits 384 x 640 without distortion, and
    where it lies in the picture.

    The picture's sides are the next multiples of 32, not all of 384 x 640: on the margins of a 4:3
    frame the network would spend a fifth of its time.
    """
    height, width = image.shape[:2]
    scale = min(INPUT_WIDTH_PX / width, INPUT_HEIGHT_PX / height)
    new_width = min(INPUT_WIDTH_PX, max(1, round(width * scale)))
    new_height = min(INPUT_HEIGHT_PX, max(1, round(height * scale)))
    small = shrunk(luminance(image), new_width, new_height)
    rows, columns = (-(-side // WHOLE_PX) * WHOLE_PX for side in (new_height, new_width))
    left, top = (columns - new_width) // 2, (rows - new_height) // 2
    picture = np.full((rows, columns), PAD_GREY, np.uint8)
    picture[top : top + new_height, left : left + new_width] = small
    return picture, Letterbox(scale, float(left), float(top))


def decode(score: Map, box: Map, threshold: float) -> list[Candidate]:
    """Peaks of the score map (H x W) that reach the threshold, without duplicates, best first."""
    peak = cv2.dilate(score, np.ones((3, 3), np.uint8))
    rows, columns = np.nonzero((score >= threshold) & (score == peak))
    order = np.argsort(-score[rows, columns], kind="stable")[:MOST_PEAKS]
    kept: list[Candidate] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        left, top, right, bottom = box[:, row, column].tolist()
        corner = (column + 0.5 - left) * STRIDE_PX, (row + 0.5 - top) * STRIDE_PX
        candidate = Candidate(
            (*corner, (left + right) * STRIDE_PX, (top + bottom) * STRIDE_PX),
            float(score[row, column]),
        )
        if len(kept) < MOST_PLATES and not any(
            same_plate(candidate.box, other.box) for other in kept
        ):
            kept.append(candidate)
    return kept


def _in_frame(plate: Candidate, letterbox: Letterbox, width: int, height: int) -> PlateBox | None:
    """The candidate in px of the frame, clipped to it; None when nothing of it lies inside."""
    x, y, wide, high = plate.box
    x0, x1 = (
        min(max(0.0, (edge - letterbox.left_px) / letterbox.scale), float(width))
        for edge in (x, x + wide)
    )
    y0, y1 = (
        min(max(0.0, (edge - letterbox.top_px) / letterbox.scale), float(height))
        for edge in (y, y + high)
    )
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    return PlateBox(
        (x0, y0, x1 - x0, y1 - y0), ((x0, y0), (x1, y0), (x1, y1), (x0, y1)), plate.score
    )
