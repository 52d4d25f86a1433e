"""Draws what was read onto a copy of the picture: for `platewarden read --annotate`, on a person's
explicit wish, and never on a camera.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from agent.core.reading.sighting import Image, PlateRead

READ_BGR, UNREAD_BGR, SHADOW_BGR = (80, 220, 80), (60, 160, 255), (0, 0, 0)
UNREAD = "?"
FONT = cv2.FONT_HERSHEY_SIMPLEX


def annotate(image: Image, reads: Sequence[PlateRead]) -> Image:
    """A copy of `image` (H×W×3, BGR) with the corners of each plate and its text; green when read,
    orange when found but not readable.

    The result holds plates as pixels and as text: personal data.
    """
    drawn = image.copy()
    thickness = max(1, round(max(image.shape[:2]) / 500))
    for read in reads:
        colour = READ_BGR if read.text.value else UNREAD_BGR
        corners = np.round(np.array(read.box.corners)).astype(np.int32)
        cv2.polylines(drawn, [corners], isClosed=True, color=colour, thickness=thickness)
        _label(drawn, read, colour, thickness)
    return drawn


def _label(drawn: Image, read: PlateRead, colour: tuple[int, int, int], thickness: int) -> None:
    """The text above the plate, or below it where there is no room, never outside the picture."""
    text = f"{read.text.value} {read.confidence:.2f}" if read.text.value else UNREAD
    x, y, width, height = read.box.box
    scale = min(3.0, max(0.4, width / 20 / len(text)))
    (text_width, text_height), below = cv2.getTextSize(text, FONT, scale, thickness)
    left = max(0, min(int(x), drawn.shape[1] - text_width))
    above = int(y) - below - thickness
    baseline = (
        above if above - text_height >= 0 else int(y + height) + text_height + thickness + below
    )
    for shade, extra in ((SHADOW_BGR, 2 * thickness), (colour, 0)):
        cv2.putText(
            drawn, text, (left, baseline), FONT, scale, shade, thickness + extra, cv2.LINE_AA
        )
