"""Reads the plate in one box: cuts it out, runs the recogniser network, decodes text, confidence and alternatives."""

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.plate_text import PlateText
from agent.core.sighting import Alternative, Frame, Image, PlateBox, PlateRead
from agent.vision.ctc import decode, softmax

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 128, 48
MARGIN_X, MARGIN_Y = 0.03, 0.05  # of the box's sides, added on each side: what measured best, and what the training jitters around
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
        grey = network_input(frame.image, box)
        logits = self._session.run(["logits"], {"crop": grey[None, None]})[0][0]
        best, *others = decode(softmax(logits), ALTERNATIVES + 1)
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
    sized = cv2.resize(grey, (INPUT_WIDTH_PX, INPUT_HEIGHT_PX), interpolation=cv2.INTER_AREA if shrinking else cv2.INTER_LINEAR).astype(np.float32)
    return np.asarray((sized - sized.mean()) / (sized.std() + CONTRAST_FLOOR), np.float32)


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
