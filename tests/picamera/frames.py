"""Writes the pictures that the virtual camera plays: red and blue halves as the contract wants, and
lettering that must arrive unharmed.
"""

from pathlib import Path

import cv2

from tests.support.media import picture

FRAMES = Path("/frames")
TEXTS = ("TEST 101", "TEST 202", "TEST 303", "TEST 404")


def write_frames(folder: Path = FRAMES) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(TEXTS):
        cv2.imwrite(
            str(folder / f"{number}.jpg"), picture(1920, 1080, text), [cv2.IMWRITE_JPEG_QUALITY, 95]
        )


if __name__ == "__main__":
    write_frames()
