"""agent/camera/picamera.py over the real picamera2 and libcamera. Runs inside the trixie tree: `make test-picamera` (run.sh)."""

import time
from itertools import islice

import cv2
import numpy as np
import pytest

from agent.camera import picamera
from agent.camera.images import load_image
from agent.camera.picamera import PicameraSource
from agent.clock import SystemClock
from agent.errors import SourceError
from agent.settings import Camera
from tests.contracts.frame_source_contract import FrameSourceContract
from tests.picamera import glue
from tests.picamera.frames import FRAMES

SETTINGS = Camera(width=1920, height=1080, frames_per_second=60, timeout_s=1.0)


@pytest.fixture(scope="session", autouse=True)
def _virtual_hardware():
    glue.install()


@pytest.fixture
def source():
    opened = PicameraSource(SETTINGS, SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def shown():
    return [lettering(load_image(path, 10_000_000)) for path in sorted(FRAMES.glob("*.jpg"))]


def lettering(image):
    """The band with the text, grey. Colours may differ a little: the virtual camera's YUV is full range, a Pi's is not."""
    height, width = image.shape[:2]
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[height * 3 // 8 : height * 5 // 8, : width // 2].astype(float)


class TestContract(FrameSourceContract):
    """`source` is the real thing."""


def test_both_streams_run_and_are_what_libcamera_says(source):
    main, small = source.configured("main"), source.configured("lores")
    assert (main["format"], main["size"]) == ("NV12", (1920, 1080)), "asked for YUV420; this pipeline adjusts, and the adapter must go by what it got"
    assert (small["format"], small["size"]) == ("NV12", (640, 360))
    request = source._next_request()
    try:
        assert picamera.to_bgr(request.make_buffer("lores"), request.config["lores"]).shape == (360, 640, 3)
    finally:
        request.release()


def test_text_in_the_frames_arrives_unharmed(source, shown):
    """Each frame is one of the pictures that are played, and clearly that one: no letter is lost, moved or mixed with another frame."""
    for frame in islice(source.frames(), 5):
        likeness = sorted(np.corrcoef(lettering(frame.image).ravel(), played.ravel())[0, 1] for played in shown)
        assert likeness[-1] > 0.99
        assert likeness[-2] < 0.97


def test_capture_time_is_the_sensors_not_ours(source, monkeypatch):
    """A frame that waited for us a second is a second old. No upper bound: a busy machine makes frames wait too."""
    fetch = source._next_request

    def fetch_and_dawdle():
        request = fetch()
        time.sleep(1.0)
        return request

    monkeypatch.setattr(source, "_next_request", fetch_and_dawdle)
    frame = next(source.frames())
    age_s = (SystemClock().now().utc - frame.captured.utc).total_seconds()
    assert 0.99 <= age_s < picamera.MOST_PLAUSIBLE_AGE_S


def test_a_slow_reader_loses_no_buffer(source):
    """More frames than there are buffers, so each must have gone back."""
    assert len(list(islice(source.frames(), 8 * picamera.BUFFERS))) == 8 * picamera.BUFFERS


def test_a_stalled_camera_is_reopened_and_goes_on(source):
    frames = source.frames()
    next(frames)
    stalled = source._camera
    stalled.stop()  # behind the adapter's back: no frame will come, as with a dead sensor
    begun_s = time.monotonic()
    assert next(frames).image.shape == (1080, 1920, 3)
    assert time.monotonic() - begun_s >= 2 * SETTINGS.timeout_s, "first the flush, then the second rung"
    assert source._camera is not stalled
    assert not stalled.is_open


def test_a_camera_that_stays_dead_is_an_error_in_bounded_time(source, monkeypatch):
    """The re-opened camera does not start either: one SourceError, and the library's waiting jobs are gone."""
    from picamera2 import Picamera2

    frames = source.frames()
    next(frames)
    source._camera.stop()
    monkeypatch.setattr(Picamera2, "start_", lambda _camera: None)
    begun_s = time.monotonic()
    with pytest.raises(SourceError, match="no frame: none within 1 s, after a flush and a restart"):
        next(frames)
    assert time.monotonic() - begun_s < 3 * SETTINGS.timeout_s + 2 * picamera.CLOSE_WAIT_S
    assert source._camera._job_list == []


def test_a_timed_out_wait_leaves_no_job_behind(source):
    """The library keeps a timed-out job in its list: it would swallow the next frame and its buffer, and block close for ever."""
    source._camera.stop()
    with pytest.raises(TimeoutError):
        source._camera.capture_request(wait=0.2)
    assert len(source._camera._job_list) == 1, "the library has changed: read its release notes, then this adapter"
    source._flush()
    assert source._camera._job_list == []


def test_a_second_opener_is_told(source):
    with pytest.raises(SourceError, match="the camera does not start"):
        PicameraSource(SETTINGS, SystemClock())
    assert len(list(islice(source.frames(), 2))) == 2, "the first must not suffer"
