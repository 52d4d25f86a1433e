"""Pictures of a street with the rehearsal's plate in it, drawn from the very strokes that the PDF
prints.
"""

import cv2
import numpy as np

from agent.core.reading.sighting import Image
from agent.provision.plate_drawing import HEIGHT_MM, WIDTH_MM, plate_strokes

PX_PER_MM = 4


def drawn_plate(text: str) -> Image:
    """The sheet as printed: black on white, BGR."""
    picture = np.full((round(HEIGHT_MM * PX_PER_MM), round(WIDTH_MM * PX_PER_MM), 3), 245, np.uint8)
    for stroke in plate_strokes(text):
        points = np.round(np.array(stroke.points) * PX_PER_MM * 16).astype(np.int32)
        cv2.polylines(
            picture,
            [points],
            False,
            (20, 20, 20),
            round(stroke.width_mm * PX_PER_MM),
            cv2.LINE_AA,
            4,
        )
    return picture


def street_with(plate: Image, width_px: int, *, angle_deg: float = 0.0, seed: int = 0) -> Image:
    """640×480 BGR: the sheet held before something dark, `width_px` wide, with a sensor's blur and
    noise.
    """
    rng = np.random.default_rng(seed)
    street = (
        np.clip(110 + rng.normal(0, 8, (480, 640, 1)), 0, 255).astype(np.uint8).repeat(3, axis=2)
    )
    cv2.rectangle(street, (80, 90), (560, 440), (90, 60, 50), -1)
    height, width = plate.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle_deg, width_px / width)
    matrix[:, 2] += (320 - width / 2, 300 - height / 2)
    soft = cv2.GaussianBlur(plate, (0, 0), 0.35 * width / width_px)
    cover = (
        cv2.warpAffine(
            np.full((height, width), 255, np.uint8), matrix, (640, 480), flags=cv2.INTER_AREA
        )[:, :, None]
        / 255
    )
    seen = (
        street * (1 - cover)
        + cv2.warpAffine(soft, matrix, (640, 480), flags=cv2.INTER_AREA) * cover
    )
    return np.clip(
        cv2.GaussianBlur(seen, (0, 0), 0.7) + rng.normal(0, 4, seen.shape), 0, 255
    ).astype(np.uint8)
