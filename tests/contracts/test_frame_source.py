"""The frame source contract over the fake and over every file source; for the cameras see
tests/picamera and hw_tests.
"""

import pytest

from agent.camera.images import ImageSource
from agent.camera.picamera import PicameraSource
from agent.camera.usb import UsbSource
from agent.camera.video import VideoSource
from agent.host.clock import SystemClock
from agent.settings import Camera
from tests.contracts.frame_source_contract import FrameSourceContract
from tests.fakes.clock import FakeClock
from tests.fakes.frames import FakeFrameSource
from tests.fakes.picamera2 import FakeLibrary
from tests.support.media import write_picture, write_video

LIMIT = 10_000_000


class TestFake(FrameSourceContract):
    @pytest.fixture
    def source(self):
        return FakeFrameSource(4)


class TestImages(FrameSourceContract):
    @pytest.fixture(params=["jpg", "png", "webp"])
    def source(self, request, tmp_path):
        return ImageSource(
            [(write_picture(tmp_path / f"{n}.{request.param}"), f"{n}") for n in range(4)],
            FakeClock(),
            LIMIT,
        )


class TestVideo(FrameSourceContract):
    @pytest.fixture(
        params=[("clip.mp4", "mpeg4"), ("clip.mkv", "libx264"), ("clip.avi", "mjpeg")],
        ids=lambda param: param[0],
    )
    def source(self, request, tmp_path):
        name, codec = request.param
        source = VideoSource(write_video(tmp_path / name, codec=codec), name, FakeClock(), LIMIT)
        yield source
        source.close()


class TestUsb(FrameSourceContract):
    """The real adapter and the real library, over a live input of FFmpeg's own instead of a camera
    that this machine has not.
    """

    @pytest.fixture
    def source(self):
        import av

        def live(_device, camera):
            size = f"{camera.width // 2}x{camera.height}"
            red_and_blue = (
                f"color=red:size={size}:rate=200[l];color=blue:size={size}:rate=200[r];[l][r]hstack"
            )
            return av.open(red_and_blue, format="lavfi")

        source = UsbSource(0, Camera(width=320, height=240), SystemClock(), live)
        yield source
        source.close()


class TestPicameraFake(FrameSourceContract):
    """The real adapter over a fake library; over the real library: `make test-picamera`."""

    @pytest.fixture(params=["YUV420", "NV12"])
    def source(self, request):
        clock = FakeClock()
        source = PicameraSource(
            Camera(width=640, height=480),
            clock,
            lambda: FakeLibrary(clock, pixel_format=request.param),
        )
        yield source
        source.close()
