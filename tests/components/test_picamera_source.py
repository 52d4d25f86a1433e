"""The picamera2 adapter over the fake library: formats, times, controls, the ladder when the camera
stalls.

Over the real one: tests/picamera.
"""

from datetime import timedelta
from itertools import islice

import numpy as np
import pytest

from agent.camera import picamera
from agent.camera.picamera import PicameraSource
from agent.camera.yuv import to_bgr
from agent.errors import ConfigError, SourceError
from agent.settings import Camera, Night
from tests.fakes.clock import FakeClock
from tests.fakes.picamera2 import FakeLibrary, padded_yuv
from tests.support.media import picture


@pytest.fixture
def clock():
    return FakeClock()


SMALL = Camera(width=640, height=480, timeout_s=2.0)
PI = {  # what a Pi camera with a motor for its lens says, as far as it matters here
    "FrameDurationLimits": (10_000, 200_000, None),
    "ExposureTime": (60, 66_666, 20_000),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AfMode": (0, 2, 0),
    "LensPosition": (0.0, 15.0, 1.0),
    "ScalerCrop": ((0, 0, 64, 64), (0, 0, 4608, 2592), (0, 0, 4608, 2592)),
}


def source(clock, settings=None, night=None, tell=lambda _event: None, **library):
    fake = FakeLibrary(clock, **library)
    return PicameraSource(settings or SMALL, clock, lambda: fake, night=night, tell=tell), fake


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
    assert to_bgr(buffer, {"format": "NV12", "size": (640, 480), "stride": 640}).shape == (
        480,
        640,
        3,
    )


def test_an_unknown_pixel_format_is_refused():
    with pytest.raises(SourceError, match="pixel format XRGB8888, which is not read"):
        to_bgr(
            np.zeros(640 * 480 * 4, np.uint8),
            {"format": "XRGB8888", "size": (640, 480), "stride": 2560},
        )


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


def test_one_stream_is_configured_of_an_even_size(clock):
    opened, library = source(clock, Camera(width=1333, height=1001))
    assert opened.configured()["size"] == (1332, 1000), "even, as libcamera wants"
    assert library.opened[0].camera_config["lores"] is None, (
        "the networks are fed from main: docs/design/frame-sources.md"
    )


@pytest.mark.parametrize(
    ("rate", "expected"),
    [(10, (100_000, 100_000)), (1, (200_000, 200_000)), (60, (16_667, 16_667))],
)
def test_the_frame_rate_is_kept_within_what_the_camera_can(clock, rate, expected):
    opened, library = source(clock, Camera(width=640, height=480, frames_per_second=rate))
    assert library.opened[0].controls == {"FrameDurationLimits": expected}
    opened.close()


def test_a_control_that_the_camera_has_not_is_not_set(clock):
    _opened, library = source(clock, controls={})
    assert library.opened[0].controls == {}


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
    assert opened._captured({"SensorTimestamp": round(taken_s * 1e9)}) == clock.now(), (
        "from the future, or a quarter of an hour old"
    )


def test_no_time_stamp_counts_as_now(clock):
    opened, _library = source(clock, stamp=False)
    assert next(opened.frames()).captured == clock.now()
    assert opened._captured({}).utc - clock.utc == timedelta(0)


def test_frames_that_nobody_fetched_are_counted_by_the_sensor_s_stamps(clock):
    """libcamera keeps the newest, and tells of no other."""
    opened, library = source(clock)
    missed, frames = [], opened.frames()
    for waited_s in (0.0, 0.0, 0.3, 0.04, 0.06):
        clock.advance(waited_s)
        missed.append(next(frames).missed)
    assert library.frame_interval_s == 0.1
    assert missed == [0, 0, 3, 0, 1]


def test_a_camera_that_stalled_dropped_nothing(clock):
    opened, _library = source(clock, stalls=[2, None])
    assert [frame.missed for frame in islice(opened.frames(), 4)] == [0, 0, 0, 0]


def test_without_stamps_nothing_counts_as_missed(clock):
    opened, _library = source(clock, stamp=False)
    frames = opened.frames()
    next(frames)
    clock.advance(5)
    assert next(frames).missed == 0


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


def test_second_rung_stop_and_start(clock):
    """The same camera, with the controls of its profile set again."""
    told = []
    opened, library = source(
        clock,
        Camera(width=640, height=480, timeout_s=2.0, exposure_us=900),
        tell=told.append,
        stalls=[2],
        heals="restart",
        controls=PI,
    )
    assert [frame.sequence for frame in islice(opened.frames(), 5)] == [0, 1, 2, 3, 4]
    assert len(library.opened) == 1
    assert library.opened[0].starts == 2
    assert [controls["ExposureTime"] for controls in library.controls_at_start] == [900, 900]
    assert [(event.what, event.details["rung"]) for event in told] == [
        ("stalled", "retry"),
        ("stalled", "restart"),
        ("recovered", "restart"),
    ]


def test_third_rung_reopen(clock):
    told = []
    opened, library = source(clock, tell=told.append, stalls=[2, None])
    assert [frame.sequence for frame in islice(opened.frames(), 5)] == [0, 1, 2, 3, 4]
    assert len(library.opened) == 2
    assert not library.opened[0].is_open
    assert [event.details["rung"] for event in told] == ["retry", "restart", "reopen", "reopen"]


def test_then_it_gives_up_in_bounded_time(clock):
    told = []
    opened, library = source(clock, tell=told.append, stalls=[2, 0])
    frames = opened.frames()
    list(islice(frames, 2))
    before = clock.monotonic_s()
    with pytest.raises(
        SourceError,
        match="no frame: none within 2 s, after a restart and a new opening.*ribbon cable",
    ):
        next(frames)
    assert clock.monotonic_s() - before == pytest.approx(8.0)
    assert library.opened[1].waiting_jobs == 0
    assert [event.details["rung"] for event in told] == ["retry", "restart", "reopen", "exit"]
    assert told[-1].details["seconds"] == pytest.approx(8.0)
    opened.close()
    assert not library.opened[1].is_open


def test_a_stall_after_a_stall_begins_at_the_bottom(clock):
    told = []
    opened, library = source(clock, tell=told.append, stalls=[2], heals="restart")
    frames = opened.frames()
    list(islice(frames, 4))
    library.opened[0].stalls_after = library.opened[0].frames + 1
    list(islice(frames, 3))
    assert [event.details["rung"] for event in told] == ["retry", "restart", "restart"] * 2


def test_a_camera_that_does_not_even_stop_is_not_climbed_further(clock, monkeypatch):
    """Every further command would wait behind the one that hangs."""
    monkeypatch.setattr(picamera, "COMMAND_WAIT_S", 0.05)
    told = []
    opened, library = source(clock, tell=told.append, stalls=[1], dead_loop=True)
    frames = opened.frames()
    next(frames)
    with pytest.raises(SourceError, match="does not stop and start: still busy"):
        next(frames)
    assert [event.details["rung"] for event in told] == ["retry", "restart", "exit"]
    opened.close()  # at once, and without an error over the first
    assert len(library.opened) == 1


# --- profiles ---

FIXED = Camera(
    width=640, height=480, exposure_us=900, gain=4.0, focus_m=12.5, crop=(0.25, 0.25, 0.5, 0.5)
)


def test_exposure_gain_focus_and_crop_are_set_before_the_start(clock):
    _opened, library = source(clock, FIXED, controls=PI)
    assert library.controls_at_start == [
        {
            "FrameDurationLimits": (100_000, 100_000),
            "ExposureTime": 900,
            "AnalogueGain": 4.0,
            "AfMode": 0,
            "LensPosition": 0.08,
            "ScalerCrop": (1440, 648, 1728, 1296),
        }
    ], "the crop of the picture's shape, 4:3, in the middle of the half that was asked for"


def test_what_the_camera_lacks_is_said_once_and_left(clock):
    told = []
    opened, library = source(
        clock,
        FIXED,
        tell=told.append,
        controls={"FrameDurationLimits": (10_000, 200_000, None)},
        stalls=[2, None],
    )
    assert len(list(islice(opened.frames(), 4))) == 4  # it was opened anew in between
    assert library.controls_at_start[0] == {"FrameDurationLimits": (100_000, 100_000)}
    assert [event.details["wish"] for event in told if event.what == "lacking"] == [
        "exposure",
        "gain",
        "focus",
        "crop",
    ]


def test_a_wish_beyond_the_cameras_range_is_said_and_brought_to_its_end(clock):
    told = []
    _opened, library = source(
        clock, Camera(exposure_us=10, gain=60.0), tell=told.append, controls=PI
    )
    assert (
        library.controls_at_start[0]["ExposureTime"],
        library.controls_at_start[0]["AnalogueGain"],
    ) == (60, 16.0)
    assert [event.details["wish"] for event in told] == ["exposure", "gain"]


@pytest.mark.parametrize(
    ("wish", "settings"),
    [
        ("focus", {"focus_m": 10}),
        ("crop", {"crop": (0, 0, 0.5, 0.5)}),
        ("exposure", {"exposure_us": 10}),
    ],
)
def test_what_is_required_and_lacking_refuses_and_closes_the_camera(clock, wish, settings):
    """Exit code 2: systemd does not try the same again."""
    controls = {
        name: limits for name, limits in PI.items() if name not in {"LensPosition", "ScalerCrop"}
    }
    library = FakeLibrary(clock, controls=controls)
    with pytest.raises(ConfigError, match=f"required asks for {wish}"):
        PicameraSource(Camera(required=(wish,), **settings), clock, lambda: library)
    assert not library.opened[0].is_open


def test_the_size_that_the_camera_gives_is_told_and_its_shape_cropped_to(clock):
    """1000×600 was asked, 1920×1080 given, and there was no word."""
    told = []
    settings = Camera(width=1000, height=600, crop=(0.0, 0.0, 1.0, 1.0))
    opened, library = source(clock, settings, tell=told.append, controls=PI, gives=(1920, 1080))
    (event,) = (event for event in told if event.what == "size")
    assert "ask for 1000×600 px, and this camera gives 1920×1080" in event.said
    assert event.details == {"asked": "1000x600", "given": "1920x1080"}
    _x, _y, wide, high = library.controls_at_start[0]["ScalerCrop"]
    assert (wide, high) == (4608, 2592), "the shape of what is given: plates are not squeezed"
    assert next(opened.frames()).image.shape == (1080, 1920, 3)


def test_the_size_that_was_asked_for_is_not_told(clock):
    told = []
    source(clock, tell=told.append)
    assert [event for event in told if event.what == "size"] == []


def test_another_size_is_told_once_however_often_the_camera_is_opened(clock):
    told = []
    opened, _library = source(
        clock, tell=told.append, gives=(1920, 1080), stalls=(2, None), cameras=1
    )
    frames = opened.frames()
    for _ in range(6):
        next(frames)
    assert [event.what for event in told].count("size") == 1


NIGHT = Night(below_lux=10, above_lux=40, after_s=0.25, exposure_us=500, gain=8.0)


def test_night_and_day_again_without_a_stop(clock):
    told = []
    opened, library = source(
        clock,
        SMALL,
        NIGHT,
        told.append,
        controls=PI,
        lux=[100, 5, 5, 5, 5, 20, 20, 50, 50, 50, 50, 50],
    )
    frames, camera = opened.frames(), library.opened[0]
    seen = [
        (camera.controls.get("ExposureTime"), camera.controls.get("AnalogueGain"))
        for _frame in islice(frames, 12)
    ]
    assert seen[0] == (0, 0.0), "by day the camera chooses"
    assert seen[3] == (0, 0.0), "not before it was dark for a while"
    assert seen[4:9] == [(500, 8.0)] * 5, "between the limits nothing changes"
    assert seen[-1] == (0, 0.0)
    assert [(event.what, event.details["profile"]) for event in told] == [
        ("profile", "night"),
        ("profile", "day"),
    ]
    assert camera.starts == 1


def test_without_a_light_level_it_stays_day_and_says_so_once(clock):
    told = []
    opened, _library = source(clock, SMALL, NIGHT, told.append, controls=PI)
    list(islice(opened.frames(), 5))
    assert [event.details["wish"] for event in told] == ["light"]


def test_a_close_that_hangs_is_an_error_not_a_hang(clock, monkeypatch):
    """picamera2's close is a job for its event loop: with a dead loop it waits for ever."""
    monkeypatch.setattr(picamera, "COMMAND_WAIT_S", 0.05)
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
