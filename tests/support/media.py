"""Pictures and videos for tests: the left half red, the right half blue, so that swapped channels
or a turned picture show.
"""

from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 320, 240
RED_BGR, BLUE_BGR = (0, 0, 220), (220, 0, 0)


def picture(width=WIDTH, height=HEIGHT, text=""):
    """H×W×3 BGR."""
    image = np.empty((height, width, 3), np.uint8)
    image[:, : width // 2], image[:, width // 2 :] = RED_BGR, BLUE_BGR
    if text:
        cv2.putText(
            image,
            text,
            (width // 8, height // 2),
            cv2.FONT_HERSHEY_SIMPLEX,
            width / 400,
            (255, 255, 255),
            2,
        )
    return image


HEIC = Path(__file__).parents[1] / "golden/pictures/left-red.heic"
"""`picture()`, written once by pillow-heif 1.8.1: nothing that the tests install encodes HEIC."""
HEIC_TURNED = HEIC.with_name("left-red-turned.heic")
"""The same, stored lying, with a turn in its header."""


def write_picture(path: Path, image=None) -> Path:
    """Encoded by the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".heic", ".heif"} and image is None:
        path.write_bytes(HEIC.read_bytes())
        return path
    assert cv2.imwrite(str(path), picture() if image is None else image)
    return path


def write_video(
    path: Path,
    frames=6,
    codec="mpeg4",
    rate=10,
    size=(WIDTH, HEIGHT),
    front_index=False,
    rotation=0,
) -> Path:
    """By PyAV, in the container that the suffix names.

    `front_index`: an MP4 whose index stands before the pictures, so that a cut file opens.
    """
    import av

    with av.open(
        str(path), "w", options={"movflags": "faststart"} if front_index else {}
    ) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = (
            *size,
            "yuvj420p" if codec == "mjpeg" else "yuv420p",
        )
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            image = picture(*size)
            # Noise, to give the encoder something to do.
            image[: size[1] // 8] = np.random.default_rng(number).integers(
                0, 255, (size[1] // 8, size[0], 3), np.uint8
            )
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode())
    return path


def cut(path: Path, share: float) -> Path:
    """Keep only the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path
