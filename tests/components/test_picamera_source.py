"""The picamera2 adapter over the fake library: formats, times, controls, the ladder when the camera stalls. Over the real one: tests/picamera."""

from datetime import timedelta
from itertools import islice

import numpy as np
import pytest

from agent.camera import picamera
from agent.camera.picamera import PicameraSource, to_bgr
from agent.errors import SourceError
from agent.settings import Camera
from tests.fakes.clock import FakeClock
from tests.fakes.picamera2 import FakeLibrary, padded_yuv
from tests.support.media import picture


@pytest.fixture
def clock():
    return FakeClock()


def source(clock, settings=None, **library):
    fake = FakeLibrary(clock, **library)
    return PicameraSource(settings or Camera(width=640, height=480, timeout_s=2.0), clock, lambda: fake), fake


@pytest.mark.parametrize("kind", ["YUV420", "NV12"])
@pytest.mark.parametrize(("width", "stride"), [(640, 640), (640, 704), (330, 384), (1282, 1344)])
def test_padding_of_rows_never_becomes_picture(kind, width, stride):
    image = picture(width, 250)
    config = {"format": kind, "size": (width, 250), "stride": stride}
    converted = to_bgr(padded_yuv(image, stride, kind), config)
    assert converted.shape == image.shape
    assert np.abs(converted.astype(int) - image).mean() < 4
    assert converted[:, :, 1].max() < 60, "the padding is green"


def test_a_buffer_with_slack_at_its_end_is_fine():
    """Buffers are rounded up to pages."""
    buffer = np.concatenate([padded_yuv(picture(640, 480), 640, "NV12"), np.zeros(4096, np.uint8)])
    assert to_bgr(buffer, {"format": "NV12", "size": (640, 480), "stride": 640}).shape == (480, 640, 3)


def test_an_unknown_pixel_format_is_refused():
    with pytest.raises(SourceError, match="pixel format XRGB8888, which is not read"):
        to_bgr(np.zeros(640 * 480 * 4, np.uint8), {"format": "XRGB8888", "size": (640, 480), "stride": 2560})


def test_buffers_go_back_even_when_the_format_is_refused(clock):
    opened, library = source(clock)
    library.opened[0].camera_config["main"]["format"] = "XRGB8888"
    with pytest.raises(SourceError):
        next(opened.frames())
    assert library.opened[0].free_buffers == picamera.BUFFERS


def test_a_long_run_returns_every_buffer(clock):
    opened, library = source(clock)
    assert len(list(islice(opened.frames(), 12))) == 12
    assert library.opened[0].free_buffers == picamera.BUFFERS


def test_two_streams_are_configured_within_the_cameras_size(clock):
    opened, _library = source(clock, Camera(width=1333, height=1001))
    assert opened.configured("main")["size"] == (1332, 1000), "even, as libcamera wants"
    assert opened.configured("lores")["size"] == (640, 480), "same shape as main, even"


@pytest.mark.parametrize(("rate", "expected"), [(10, (100_000, 100_000)), (1, (200_000, 200_000)), (60, (16_667, 16_667))])
def test_the_frame_rate_is_kept_within_what_the_camera_can(clock, rate, expected):
    opened, library = source(clock, Camera(width=640, height=480, frames_per_second=rate))
    assert library.opened[0].camera_config["controls"] == {"FrameDurationLimits": expected}
    opened.close()


def test_a_control_that_the_camera_has_not_is_not_set(clock):
    _opened, library = source(clock, controls={})
    assert library.opened[0].camera_config["controls"] == {}


def test_capture_time_is_now_less_the_frames_age(clock):
    opened, _library = source(clock)
    clock_at_capture = []
    real = opened._next_request

    def late():
        request = real()
        clock_at_capture.append(clock.utc)
        clock.advance(0.25)  # the frame waited for us
        return request

    opened._next_request = late
    assert next(opened.frames()).captured.utc == clock_at_capture[0]


@pytest.mark.parametrize("taken_s", [5_000.0, 100.0])
def test_a_time_stamp_of_another_clock_counts_as_now(clock, taken_s):
    opened, _library = source(clock)
    assert opened._captured({"SensorTimestamp": round(taken_s * 1e9)}) == clock.now(), "from the future, or a quarter of an hour old"


def test_no_time_stamp_counts_as_now(clock):
    opened, _library = source(clock, stamp=False)
    assert next(opened.frames()).captured == clock.now()
    assert opened._captured({}).utc - clock.utc == timedelta(0)


def test_first_rung_flush(clock):
    """The camera hesitates once; the same camera goes on."""
    opened, library = source(clock, stalls=[3])
    frames = opened.frames()
    assert len(list(islice(frames, 3))) == 3
    camera = library.opened[0]
    flush = camera.cancel_all_and_flush

    def wake():
        flush()
        camera.stalls_after = None

    camera.cancel_all_and_flush = wake
    assert next(frames).sequence == 3
    assert len(library.opened) == 1


def test_second_rung_reopen(clock):
    opened, library = source(clock, stalls=[2, None])
    assert [frame.sequence for frame in islice(opened.frames(), 5)] == [0, 1, 2, 3, 4]
    assert len(library.opened) == 2
    assert not library.opened[0].is_open


def test_then_it_gives_up_in_bounded_time(clock):
    opened, library = source(clock, stalls=[2, 0])
    frames = opened.frames()
    list(islice(frames, 2))
    before = clock.monotonic_s()
    with pytest.raises(SourceError, match="no frame: none within 2 s, after a flush and a restart.*ribbon cable"):
        next(frames)
    assert clock.monotonic_s() - before == pytest.approx(6.0)
    assert library.opened[1].waiting_jobs == 0
    opened.close()
    assert not library.opened[1].is_open


def test_a_close_that_hangs_is_an_error_not_a_hang(clock, monkeypatch):
    """picamera2's close is a job for its event loop: with a dead loop it waits for ever."""
    monkeypatch.setattr(picamera, "CLOSE_WAIT_S", 0.05)
    opened, _library = source(clock, dead_loop=True)
    with pytest.raises(SourceError, match="does not close: still busy after 0.05 s"):
        opened.close()


def test_a_close_that_fails_is_reported(clock):
    opened, library = source(clock)

    def fail():
        raise RuntimeError("release failed")

    library.opened[0].close = fail
    with pytest.raises(SourceError, match="does not close: release failed"):
        opened.close()


def test_no_camera(clock):
    with pytest.raises(SourceError, match="does not start: No camera number 0 found.*rpicam-hello"):
        source(clock, cameras=0)


def test_a_camera_that_does_not_start_is_closed_again(clock, monkeypatch):
    from tests.fakes.picamera2 import FakePicamera2

    def fail(_camera):
        raise RuntimeError("start failed")

    monkeypatch.setattr(FakePicamera2, "start", fail)
    library = FakeLibrary(clock)
    with pytest.raises(SourceError, match="does not start: start failed"):
        PicameraSource(Camera(), clock, lambda: library)
    assert not library.opened[0].is_open
