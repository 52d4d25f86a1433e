"""agent/camera/picamera.py over the real picamera2 and libcamera.

Runs inside the trixie tree: `make test-picamera` (run.sh).
"""

import time
from itertools import islice

import cv2
import numpy as np
import pytest

from agent.camera import picamera
from agent.camera.images import load_image
from agent.camera.picamera import PicameraSource
from agent.core.camera.profile import Profile, choose
from agent.errors import ConfigError, SourceError
from agent.host.clock import SystemClock
from agent.settings import Camera, Night
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
    """The band with the text, grey.

    Colours may differ a little: the virtual camera's YUV is full range, a Pi's is not.
    """
    height, width = image.shape[:2]
    return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)[
        height * 3 // 8 : height * 5 // 8, : width // 2
    ].astype(float)


class TestContract(FrameSourceContract):
    """`source` is the real thing."""


def test_the_stream_is_what_libcamera_says(source):
    main = source.configured()
    assert (main["format"], main["size"]) == ("NV12", (1920, 1080)), (
        "asked for YUV420; this pipeline adjusts, and the adapter must go by what it got"
    )


def test_text_in_the_frames_arrives_unharmed(source, shown):
    """Each frame is one of the pictures that are played, and clearly that one: no letter is lost,
    moved or mixed with another frame.
    """
    for frame in islice(source.frames(), 5):
        likeness = sorted(
            np.corrcoef(lettering(frame.image).ravel(), played.ravel())[0, 1] for played in shown
        )
        assert likeness[-1] > 0.99
        assert likeness[-2] < 0.97


def test_capture_time_is_the_sensors_not_ours(source, monkeypatch):
    """A frame that waited for us a second is a second old.

    No upper bound: a busy machine makes frames wait too.
    """
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


def test_a_camera_that_was_stopped_is_started_again(source):
    frames = source.frames()
    next(frames)
    stalled = source._camera
    stalled.stop()  # behind the adapter's back: no frame will come
    begun_s = time.monotonic()
    assert next(frames).image.shape == (1080, 1920, 3)
    assert time.monotonic() - begun_s >= 2 * SETTINGS.timeout_s, (
        "first the same again, then the second rung"
    )
    assert source._camera is stalled


def test_a_camera_that_stays_dead_is_an_error_in_bounded_time(source, monkeypatch):
    """Neither the restarted nor the re-opened camera delivers: one SourceError, and the library's
    waiting jobs are gone.
    """
    from picamera2 import Picamera2

    frames = source.frames()
    next(frames)
    source._camera.stop()
    monkeypatch.setattr(Picamera2, "start_", lambda _camera: None)
    begun_s = time.monotonic()
    with pytest.raises(
        SourceError, match="no frame: none within 1 s, after a restart and a new opening"
    ):
        next(frames)
    assert time.monotonic() - begun_s < 4 * SETTINGS.timeout_s + 4 * picamera.COMMAND_WAIT_S
    assert source._camera._job_list == []


def test_a_timed_out_wait_leaves_no_job_behind(source):
    """The library keeps a timed-out job in its list: it would swallow the next frame and its
    buffer, and block close for ever.
    """
    source._camera.stop()
    with pytest.raises(TimeoutError):
        source._camera.capture_request(wait=0.2)
    assert len(source._camera._job_list) == 1, (
        "the library has changed: read its release notes, then this adapter"
    )
    source._camera.cancel_all_and_flush()
    assert source._camera._job_list == []


def test_a_second_opener_is_told(source):
    with pytest.raises(SourceError, match="the camera does not start"):
        PicameraSource(SETTINGS, SystemClock())
    assert len(list(islice(source.frames(), 2))) == 2, "the first must not suffer"


def test_controls_that_the_virtual_camera_lacks_are_said_once_and_frames_come():
    """The real library refuses a whole configuration for one control that it does not know: none
    such may reach it.
    """
    told = []
    settings = Camera(
        width=1920,
        height=1080,
        timeout_s=5.0,
        exposure_us=900,
        gain=4.0,
        focus_m=12.5,
        crop=(0.25, 0.25, 0.5, 0.5),
    )
    opened = PicameraSource(
        settings, SystemClock(), night=Night(below_lux=10, above_lux=40), tell=told.append
    )
    try:
        assert "ExposureTime" not in opened._camera.camera_controls, (
            "this pipeline can more now: test it"
        )
        assert len(list(islice(opened.frames(), 3))) == 3
        with pytest.raises(RuntimeError, match="not advertised"):
            opened._camera.set_controls({"ExposureTime": 900})
    finally:
        opened.close()
    assert {event.details["wish"] for event in told} == {
        "rate",
        "exposure",
        "gain",
        "focus",
        "crop",
        "light",
    }
    assert len(told) == 6


def test_a_control_that_is_required_and_lacking_refuses_and_frees_the_camera():
    with pytest.raises(
        ConfigError, match="required asks for exposure, and this camera has no control for it"
    ):
        PicameraSource(Camera(exposure_us=900, required=("exposure",)), SystemClock())
    PicameraSource(SETTINGS, SystemClock()).close()


def test_the_one_control_that_it_has_is_probed_and_set_within_its_limits(source):
    least, most, _default = source._camera.camera_controls["FrameDurationLimits"]
    assert least <= most
    assert choose(Profile(1, 16 / 9), source._camera.camera_controls).controls == {
        "FrameDurationLimits": (most, most)
    }
    assert choose(Profile(1_000_000, 16 / 9), source._camera.camera_controls).controls == {
        "FrameDurationLimits": (least, least)
    }
