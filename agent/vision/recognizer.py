"""Reads the plate in one box: cuts it out, runs the recogniser network, decodes text, confidence and alternatives.

A plate whose corners say that it is tilted is cut out twice, upright and straightened, and the two readings are averaged: the
detector's corners are right more often than not, but the upright box holds the plate even when they are wrong.
"""

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.plate_text import PlateText
from agent.core.sighting import Alternative, Frame, Image, PlateBox, PlateRead
from agent.vision.ctc import averaged, decode, softmax, weighed

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
# Shares of the box's sides added on each side; what measured best on the detector's own boxes, which are loose.
MARGIN_X, MARGIN_Y = 0.0, 0.0
STRAIGHT_MARGIN_X, STRAIGHT_MARGIN_Y = 0.0, 0.03  # likewise around the four corners
LEAST_TILT = 0.02  # of the box's sides: corners closer to the box's own than this add nothing
LARGEST_STRAIGHTENED = 4  # times the input: bounds the work for a plate that fills the frame
CROP_MARGIN = 0.15  # of the box's sides: what a person needs to see around the plate
ALTERNATIVES = 5
LEAST_ALTERNATIVE = 1e-3
CONTRAST_FLOOR = 4.0  # grey levels; as in the training: keeps a flat crop's noise from being blown up


class Session(Protocol):
    """What the reader needs of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, NDArray[np.float32]]) -> list[NDArray[np.float32]]: ...


class OnnxPlateReader:
    """Implements ports.PlateReader over the session of models/recognizer.onnx.

    The session takes `crop` float32 N×1×48×128, grey, each crop standardised, and gives `logits` N×32×37 (blank, 0–9, A–Z).
    Limit: region and issuing state are not read yet, so that a match is by text.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """Text, confidences and alternatives of one box; an unreadable plate gives an empty text and confidence 0."""
        views = [network_input(frame.image, box)]
        if tilted(box):
            views.append(straightened_input(frame.image, box))
        logits = self._session.run(["logits"], {"crop": np.stack(views)[:, None]})[0]
        best, *others = weighed(averaged([decode(softmax(view), ALTERNATIVES + 1) for view in logits], ALTERNATIVES + 1))
        crop = cut(frame.image, box, CROP_MARGIN, CROP_MARGIN).copy()
        return PlateRead(
            box=box,
            text=PlateText(best.text),
            confidence=best.probability if best.text else 0.0,
            char_confidence=best.char_confidence,
            alternatives=tuple(Alternative(PlateText(o.text), o.probability) for o in others if o.text and o.probability >= LEAST_ALTERNATIVE),
            region="unknown",
            state=None,
            crop=crop,
            sharpness=sharpness(crop),
            captured=frame.captured,
        )


def network_input(image: Image, box: PlateBox) -> NDArray[np.float32]:
    """The box of an H×W×3 BGR image as the network wants it: 48×128, grey, mean 0, standard deviation 1."""
    grey = cv2.cvtColor(cut(image, box, MARGIN_X, MARGIN_Y), cv2.COLOR_BGR2GRAY)
    shrinking = grey.shape[1] > INPUT_WIDTH_PX
    sized = cv2.resize(grey, (INPUT_WIDTH_PX, INPUT_HEIGHT_PX), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR)
    return standardised(sized)


def straightened_input(image: Image, box: PlateBox) -> NDArray[np.float32]:
    """As `network_input`, but the quadrilateral of the box's corners pulled straight."""
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    with_margin = unit + (unit * 2 - 1) * np.array([STRAIGHT_MARGIN_X, STRAIGHT_MARGIN_Y], np.float32)
    corners = np.array(box.corners, np.float32)
    source = cv2.perspectiveTransform(with_margin[None], cv2.getPerspectiveTransform(unit, corners))[0]
    # A large plate is first pulled straight at a multiple of the input, then averaged down: sampling it directly would alias.
    scale = int(np.clip(np.hypot(*(corners[1] - corners[0])) / INPUT_WIDTH_PX, 1, LARGEST_STRAIGHTENED))
    size = (INPUT_WIDTH_PX * scale, INPUT_HEIGHT_PX * scale)
    matrix = cv2.getPerspectiveTransform(source, unit * np.array(size, np.float32))
    straight = cv2.warpPerspective(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    grey = cv2.cvtColor(straight, cv2.COLOR_BGR2GRAY)
    return standardised(cv2.resize(grey, (INPUT_WIDTH_PX, INPUT_HEIGHT_PX), interpolation=cv2.INTER_AREA))


def standardised(grey: NDArray[np.integer[Any] | np.floating[Any]]) -> NDArray[np.float32]:
    """Mean 0, standard deviation 1, unless there is no contrast to speak of."""
    levels = grey.astype(np.float32)
    return np.asarray((levels - levels.mean()) / (levels.std() + CONTRAST_FLOOR), np.float32)


def tilted(box: PlateBox) -> bool:
    """Whether the corners make a proper quadrilateral that differs from the upright box."""
    x, y, width, height = box.box
    corners = np.array(box.corners, np.float32)
    edges = np.roll(corners, -1, axis=0) - corners
    following = np.roll(edges, -1, axis=0)
    if not (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] > 0).all():
        return False
    upright = np.array([[x, y], [x + width, y], [x + width, y + height], [x, y + height]], np.float32)
    return bool((np.abs(corners - upright) / np.array([max(width, 1), max(height, 1)]) > LEAST_TILT).any())


def cut(image: Image, box: PlateBox, margin_x: float, margin_y: float) -> Image:
    """The upright box with margins (shares of its sides), clipped to the image; at least 1×1. A view, not a copy."""
    x, y, width, height = box.box
    x0, y0 = int(max(0, x - width * margin_x)), int(max(0, y - height * margin_y))
    x1, y1 = round(min(image.shape[1], x + width * (1 + margin_x))), round(min(image.shape[0], y + height * (1 + margin_y)))
    x0, y0 = min(x0, image.shape[1] - 1), min(y0, image.shape[0] - 1)
    return image[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)]


def sharpness(crop: Image) -> float:
    """Variance of the Laplacian of the grey crop: higher is sharper (Pech-Pacheco et al., 2000)."""
    return float(cv2.Laplacian(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())
