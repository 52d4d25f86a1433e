"""A Pi camera's buffers to pictures: YUV420 and NV12 with padded rows, to BGR."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image
from agent.errors import SourceError

Buffer = NDArray[np.uint8]


def to_bgr(buffer: Buffer, config: Mapping[str, Any]) -> Image:
    """A buffer of YUV420 (three planes) or NV12 (two), as configured in size and stride, to H×W×3
    BGR, copied.

    Raises SourceError on other formats.

    Rows are padded to `stride` bytes; the padding is cut away before the conversion, so that it is
    never taken for picture.
    """
    width, height = config["size"]
    stride, kind = config["stride"], config["format"]
    luma = buffer[: height * stride].reshape(height, stride)[:, :width]
    chroma = buffer[height * stride : height * stride * 3 // 2]
    if kind == "NV12":
        packed = np.vstack([luma, chroma.reshape(height // 2, stride)[:, :width]])
        return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_NV12), np.uint8)
    if kind == "YUV420":
        # The buffer has first all rows of U, then all of V.
        planes = chroma.reshape(height, stride // 2)[:, : width // 2]
        packed = np.concatenate([luma.reshape(-1), planes.reshape(-1)]).reshape(
            height * 3 // 2, width
        )
        return np.asarray(cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420), np.uint8)
    raise SourceError(
        f"the camera was configured to the pixel format {kind}, which is not read",
        where="picamera",
        fix="please report the sensor: `rpicam-hello --list-cameras`",
    )
