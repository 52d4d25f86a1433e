"""Plate detectors of the YOLO family: letterboxed RGB in, boxes out, in three layouts that are told
apart by the output's shape.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.errors import ModelError
from agent.peers.network import Network, Shape, Tensor
from agent.values import dataclass

PAD_GREY = 114
LEAST_CONFIDENCE = 0.25
SAME_OVERLAP = 0.5  # intersection over union, for the layout that has not removed doubles itself
MOST_PLATES = 100
EXPECTED = (
    "expected N×7 or 1×N×6 (doubles removed inside, as open-image-models exports YOLOv9) or 1×5×N "
    "(YOLOv8, one class)"
)

Boxes = NDArray[np.float32]  # N × 5: x0, y0, x1, y1 in px of the input, confidence 0–1


@dataclass(frozen=True, slots=True)
class Letterbox:
    """How a frame lies in the network's input: input px = frame px × scale + offset."""

    scale: float
    left_px: int
    top_px: int


class YoloPlateDetector:
    """Implements ports.PlateDetector over a network that finds one class, plates.

    `corners` are those of the upright box.
    """

    def __init__(self, network: Network) -> None:
        """Raises ModelError when the network's shapes are none that we know."""
        self._network = network
        self._height, self._width = _input_size(network)
        self._output, self._decode = _layout(network)

    def find_plates(self, frame: Frame) -> tuple[PlateBox, ...]:
        """All plates of at least 0.25, best first, in px of the frame and inside it."""
        picture, letterbox = fit(frame.image, self._height, self._width)
        # 0–1, BGR to RGB, H×W×C to 1×C×H×W
        fed = cv2.dnn.blobFromImage(picture, 1 / 255, swapRB=True)
        found = self._decode(self._network.run(self._output, fed))
        found = found[np.isfinite(found).all(axis=1) & (found[:, 4] >= LEAST_CONFIDENCE)]
        found = found[np.argsort(-found[:, 4], kind="stable")][:MOST_PLATES]
        height, width = frame.image.shape[:2]
        plates = (_in_frame(row, letterbox, width, height) for row in found)
        return tuple(plate for plate in plates if plate is not None)


def fit(image: Image, height: int, width: int) -> tuple[Image, Letterbox]:
    """The whole image centred in height × width × 3 on grey, without distortion, and where it
    lies.
    """
    old_height, old_width = image.shape[:2]
    scale = min(width / old_width, height / old_height)
    new_width, new_height = max(1, round(old_width * scale)), max(1, round(old_height * scale))
    left, top = (width - new_width) // 2, (height - new_height) // 2
    picture = np.full((height, width, 3), PAD_GREY, np.uint8)
    # Linear even for shrinking: so were these networks' pictures made.
    picture[top : top + new_height, left : left + new_width] = cv2.resize(
        image, (new_width, new_height), interpolation=cv2.INTER_LINEAR
    )
    return picture, Letterbox(scale, left, top)


def _input_size(network: Network) -> tuple[int, int]:
    shape = network.input.shape
    height, width = shape[2:] if len(shape) == 4 else (None, None)
    if (
        network.input.kind != "tensor(float)"
        or len(shape) != 4
        or shape[0] not in {1, None}
        or shape[1] != 3
        or not height
        or not width
    ):
        fix = "export it with one picture of a fixed size"
        raise ModelError(
            "not a plate detector: "
            f"its input is {network.input}, expected tensor(float) 1×3×height×width",
            where=network.where,
            fix=fix,
        )
    return height, width


def _layout(network: Network) -> tuple[Tensor, Callable[[NDArray[np.float32]], Boxes]]:
    """The first output of a known shape, and how it is read."""
    for output in network.outputs:
        for fits, decode in (
            (_is_sevens, from_sevens),
            (_is_sixes, from_sixes),
            (_is_centres, from_centres),
        ):
            if output.kind == "tensor(float)" and fits(output.shape):
                return output, decode
    given = ", ".join(map(str, network.outputs))
    raise ModelError(
        f"not a plate detector: it gives {given}; {EXPECTED}",
        where=network.where,
        fix="docs/ref/read.md lists the models that can be loaded",
    )


def _is_sevens(shape: Shape) -> bool:
    return len(shape) == 2 and shape[1] == 7


def _is_sixes(shape: Shape) -> bool:
    return len(shape) == 3 and shape[0] in {1, None} and shape[2] == 6


def _is_centres(shape: Shape) -> bool:
    # More rows would be more classes, and we cannot know which of them are plates.
    return len(shape) == 3 and shape[0] in {1, None} and shape[1] == 5


def from_sevens(given: NDArray[np.float32]) -> Boxes:
    """Picture, x0, y0, x1, y1, class, confidence: only class 0 is a plate."""
    return np.asarray(given[given[:, 5] == 0][:, [1, 2, 3, 4, 6]])


def from_sixes(given: NDArray[np.float32]) -> Boxes:
    """x0, y0, x1, y1, confidence, class."""
    return np.asarray(given[0][given[0, :, 5] == 0][:, :5])


def from_centres(given: NDArray[np.float32]) -> Boxes:
    """Centre x, y, width, height, confidence, a column per box; many boxes for one plate, of which
    the surest stays.
    """
    rows = given[0].T
    rows = rows[rows[:, 4] >= LEAST_CONFIDENCE]
    half = rows[:, 2:4] / 2
    boxes = np.concatenate([rows[:, :2] - half, rows[:, :2] + half, rows[:, 4:]], axis=1)
    return without_doubles(boxes[np.argsort(-boxes[:, 4], kind="stable")])


def without_doubles(boxes: Boxes) -> Boxes:
    """Boxes, best first, that overlap no better one by more than half."""
    kept = np.empty((0, 5), np.float32)
    areas = (boxes[:, 2:4] - boxes[:, :2]).prod(axis=1)
    left = np.arange(len(boxes))
    while len(left) and len(kept) < MOST_PLATES:
        best, left = left[0], left[1:]
        kept = np.concatenate([kept, boxes[best : best + 1]])
        sides = np.minimum(boxes[left, 2:4], boxes[best, 2:4]) - np.maximum(
            boxes[left, :2], boxes[best, :2]
        )
        shared = np.clip(sides, 0, None).prod(axis=1)
        left = left[shared <= SAME_OVERLAP * (areas[left] + areas[best] - shared)]
    return kept


def _in_frame(
    row: NDArray[np.float32], letterbox: Letterbox, width: int, height: int
) -> PlateBox | None:
    """The box in px of the frame, clipped to it; None when nothing of it lies inside."""
    x0, x1 = (
        float(np.clip((x - letterbox.left_px) / letterbox.scale, 0, width)) for x in row[[0, 2]]
    )
    y0, y1 = (
        float(np.clip((y - letterbox.top_px) / letterbox.scale, 0, height)) for y in row[[1, 3]]
    )
    if x1 - x0 < 1 or y1 - y0 < 1:
        return None
    return PlateBox(
        (x0, y0, x1 - x0, y1 - y0),
        ((x0, y0), (x1, y0), (x1, y1), (x0, y1)),
        float(np.clip(row[4], 0, 1)),
    )
