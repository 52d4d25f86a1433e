"""Stands for picamera2 in the booted tree: the fake that the camera's tests use
(tests/fakes/picamera2.py), on the real clock, looking at a street's pictures.
"""

import sys
import time
from pathlib import Path

sys.path.append("/opt/boot")

import cv2  # after the path: the fake's modules lie there

from tests.fakes import picamera2 as fake

STREET, FRAMES_PER_S = Path("/opt/boot/street"), 5.0
SHOWN = 8  # pictures of each car, as tests/boot/city.py draws them
EMPTY = 12  # without one until its track has ended: a read every four seconds


class _Clock:
    """Waits for real."""

    def advance(self, seconds: float) -> None:
        time.sleep(seconds)

    def monotonic_s(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)


_road = cv2.imread(str(STREET / "road.png"))
_cars = [cv2.imread(str(path)) for path in sorted(STREET.glob("car-*.png"))]
_pictures = [
    one
    for begin in range(0, len(_cars), SHOWN)
    for one in (*_cars[begin : begin + SHOWN], *[_road] * EMPTY)
] or [_road]


def _now(width: int, height: int, _text: str = ""):
    """What passes at this moment: the same for both streams of a frame."""
    return cv2.resize(
        _pictures[int(time.monotonic() * FRAMES_PER_S) % len(_pictures)], (width, height)
    )


fake.picture = _now
_library = fake.FakeLibrary(_Clock(), frame_interval_s=1 / FRAMES_PER_S)
Picamera2 = _library.Picamera2
