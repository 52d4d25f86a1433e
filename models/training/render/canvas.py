"""A float picture with one or three channels, and blending of masks onto it."""

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]
Colour = tuple[float, ...]


def colour_of(code: str, channels: int) -> NDArray[np.float32]:
    """ "#rrggbb" as BGR 0–1, or as luminance for one channel."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (1, 3, 5))
    if channels == 1:
        return np.array([0.299 * red + 0.587 * green + 0.114 * blue], np.float32)
    return np.array([blue, green, red], np.float32)


def tone(value: NDArray[np.float32]) -> Colour:
    """A colour as OpenCV's drawing functions take it."""
    return tuple(float(v) for v in value)


def put(
    picture: Picture,
    mask: NDArray[np.uint8],
    x: float,
    y: float,
    value: NDArray[np.float32],
    opacity: float = 1.0,
) -> None:
    """Blend `value` in through `mask` with its top left at (x, y) px; what falls outside is cut
    off.
    """
    x0, y0 = round(x), round(y)
    height, width = picture.shape[:2]
    left, top = max(0, -x0), max(0, -y0)
    mask = mask[top : height - y0, left : width - x0]
    if mask.size == 0 or x0 >= width or y0 >= height:
        return
    region = picture[y0 + top : y0 + top + mask.shape[0], x0 + left : x0 + left + mask.shape[1]]
    cover = mask[:, :, None].astype(np.float32) * np.float32(opacity / 255)
    region += cover * (value - region)


def put_scaled(
    picture: Picture,
    mask: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    value: NDArray[np.float32],
    opacity: float = 1.0,
) -> None:
    """As `put`, the mask scaled to fill `box` (x, y, width, height px)."""
    x, y, width, height = box
    if width >= 2 and height >= 2:
        put(
            picture,
            cv2.resize(mask, (round(width), round(height)), interpolation=cv2.INTER_AREA),
            x,
            y,
            value,
            opacity,
        )
