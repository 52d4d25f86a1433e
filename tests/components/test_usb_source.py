"""The USB adapter: newest frame only, stalls and unplugging become errors in bounded time.

Its frames: tests/contracts.
"""

import threading
import time

import av
import numpy as np
import pytest

from agent.camera.usb import UsbSource
from agent.errors import SourceError
from agent.host.clock import SystemClock
from agent.settings import Camera


class FakeContainer:
    """As an open PyAV input. `pictures`: how many come; then `then` happens."""

    def __init__(self, pictures, then):
        self.pictures, self.then, self.closed = pictures, then, False

    def decode(self, video):
        for number in range(self.pictures):
            yield av.VideoFrame.from_ndarray(np.full((8, 8, 3), number, np.uint8), "bgr24")
        self.then()

    def close(self):
        self.closed = True


def unplugged():
    raise av.error.OSError(19, "No such device", "/dev/video0")


def opened(container, timeout_s=0.2):
    return UsbSource(
        0, Camera(timeout_s=timeout_s), SystemClock(), lambda _device, _camera: container
    )


def test_unplugging_is_an_error_that_names_the_device():
    with pytest.raises(
        SourceError, match="/dev/video0: the camera failed or was unplugged.*check the plug"
    ):
        list(opened(FakeContainer(0, unplugged)).frames())


def test_a_size_that_was_not_asked_for_is_told_once():
    """The driver takes the nearest, and FFmpeg only logs it."""
    told, release = [], threading.Event()
    source = UsbSource(
        0,
        Camera(width=640, height=480, timeout_s=0.2),
        SystemClock(),
        lambda _device, _camera: FakeContainer(1, lambda: release.wait(30)),
        told.append,
    )
    with pytest.raises(SourceError):
        list(source.frames())
    release.set()
    assert [event.details for event in told] == [{"asked": "640x480", "given": "8x8"}]


def test_a_stall_is_an_error_after_the_timeout():
    """The read of a dead device does not return; ours does."""
    release = threading.Event()
    source = opened(FakeContainer(1, lambda: release.wait(30)))
    frames = source.frames()
    assert next(frames).image[0, 0, 0] == 0
    begun_s = time.monotonic()
    with pytest.raises(SourceError, match="no frame for 0.2 s"):
        next(frames)
    assert time.monotonic() - begun_s < 5
    release.set()
    source.close()


def test_a_slow_reader_gets_the_newest_frame_not_the_oldest():
    decoded_all, release = threading.Event(), threading.Event()

    def then():
        decoded_all.set()
        release.wait(30)

    source = opened(FakeContainer(50, then), timeout_s=5)
    frames = source.frames()
    first = next(frames).image[0, 0, 0]
    assert decoded_all.wait(10), "the reader is slow, the camera is not"
    assert first == 49 or next(frames).image[0, 0, 0] == 49
    release.set()
    source.close()


def test_what_nobody_fetched_in_time_is_counted():
    decoded_all, release = threading.Event(), threading.Event()

    def then():
        decoded_all.set()
        release.wait(30)

    source = opened(FakeContainer(50, then), timeout_s=5)
    frames = source.frames()
    seen = [next(frames)]
    assert decoded_all.wait(10)
    while seen[-1].image[0, 0, 0] != 49:
        seen.append(next(frames))
    assert len(seen) + sum(frame.missed for frame in seen) == 50
    assert [frame.sequence for frame in seen] == list(range(len(seen)))
    release.set()
    source.close()


def test_closing_before_the_first_frame_closes_the_device():
    container = FakeContainer(1, unplugged)
    source = opened(container)
    source.close()
    assert container.closed
