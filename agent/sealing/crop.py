"""The picture of the plate as a JPEG small enough for its padding bucket, without metadata."""

from collections.abc import Iterator

import cv2
import numpy as np

from agent.core.reading.sighting import Image

MAX_WIDTH_PX = 640  # a plate fills the crop: more pixels than this tell nobody more
_QUALITIES = (90, 80, 70, 60, 50, 40, 30)
_SMALLEST_WIDTH_PX = 32


def encodings(crop: Image) -> Iterator[bytes]:
    """JPEGs of `crop` (H×W×3, BGR), best first: lower quality, then half the size again and again.

    Empty for an empty picture.

    The bytes are a JFIF header and the picture: no EXIF, no comment, no thumbnail (OpenCV writes
    none).
    """
    if crop.ndim != 3 or 0 in crop.shape:
        return
    picture = _shrink(crop, MAX_WIDTH_PX)
    while True:
        for quality in _QUALITIES:
            done, data = cv2.imencode(
                ".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
            )
            if done:
                yield data.tobytes()
        if picture.shape[1] <= _SMALLEST_WIDTH_PX:
            return
        picture = _shrink(picture, max(_SMALLEST_WIDTH_PX, picture.shape[1] // 2))


def _shrink(picture: Image, width_px: int) -> Image:
    height, width = picture.shape[:2]
    if width <= width_px:
        return picture
    return np.asarray(
        cv2.resize(
            picture,
            (width_px, max(1, round(height * width_px / width))),
            interpolation=cv2.INTER_AREA,
        ),
        dtype=np.uint8,
    )
