"""What the word after --source means, and why addresses are declined."""

import pytest

from agent.camera import picamera, sources, usb
from agent.camera.images import ImageSource
from agent.camera.sources import open_source
from agent.camera.video import VideoSource
from agent.errors import SourceError, UsageError
from agent.settings import Limits, Settings
from tests.fakes.clock import FakeClock
from tests.support.media import write_picture, write_video

SETTINGS = Settings(camera_id="test-camera")


def test_a_folder_an_image_and_a_video(tmp_path):
    write_picture(tmp_path / "b.jpg")
    write_picture(tmp_path / "sub" / "a.png")
    write_video(tmp_path / "clip.mp4")
    folder = open_source(str(tmp_path), SETTINGS, FakeClock())
    assert [frame.file for frame in folder.frames()] == ["b.jpg", "sub/a.png"]
    image = open_source(str(tmp_path / "b.jpg"), SETTINGS, FakeClock())
    assert isinstance(image, ImageSource)
    assert [frame.file for frame in image.frames()] == ["b.jpg"]
    video = open_source(str(tmp_path / "clip.mp4"), SETTINGS, FakeClock())
    assert isinstance(video, VideoSource)
    assert next(video.frames()).file == "clip.mp4#000000"


def test_the_pixel_limit_comes_from_the_settings(tmp_path):
    write_picture(tmp_path / "a.jpg")
    small = SETTINGS.changed(limits=Limits(max_source_pixels=10_000))
    with pytest.raises(SourceError, match="limit of 10,000 px"):
        next(open_source(str(tmp_path), small, FakeClock()).frames())


@pytest.mark.parametrize(
    "address",
    [
        "rtsp://192.0.2.1/stream",
        "http://camera.example/mjpg",
        "https://x",
        "tcp://192.0.2.1:5000",
        "udp://@:1234",
        "srt://x",
        "rtmp://x",
        "file:///tmp/a.mp4",
    ],
)
def test_an_address_is_declined_with_the_reason(address):
    with pytest.raises(
        UsageError, match=r"the process that sees plates has no network.*docs/ref/sources\.md"
    ) as caught:
        open_source(address, SETTINGS, FakeClock())
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "spec", ["nosuch", "usb:", "usb:x", "usb:-1", "picamera2", "", "/dev/null/x"]
)
def test_what_names_no_source_is_a_usage_error(spec):
    with pytest.raises(UsageError, match="no such source.*give picamera, usb:N"):
        open_source(spec, SETTINGS, FakeClock())


def test_an_empty_folder_says_what_counts_as_an_image(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(
        SourceError,
        match=r"no image in this folder \(images end in \.avif, \.bmp, .*, \.tiff, \.webp\)",
    ):
        open_source(str(tmp_path), SETTINGS, FakeClock())


def test_cameras_get_the_camera_settings(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        sources,
        "PicameraSource",
        lambda settings, clock, *, night, tell: seen.setdefault(
            "picamera", (settings, night, tell, clock)
        ),
    )
    monkeypatch.setattr(
        usb,
        "UsbSource",
        lambda number, settings, clock, *, tell: seen.setdefault(
            "usb", (number, settings, tell, clock)
        ),
    )
    clock = FakeClock()
    open_source("picamera", SETTINGS, clock, tell=print)
    open_source("usb:2", SETTINGS, clock, tell=print)
    assert seen == {
        "picamera": (SETTINGS.camera, SETTINGS.night, print, clock),
        "usb": (2, SETTINGS.camera, print, clock),
    }


def test_a_camera_that_is_not_there(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "picamera2", None)
    with pytest.raises(
        SourceError, match="picamera2 cannot be imported.*apt install python3-picamera2"
    ):
        open_source("picamera", SETTINGS, FakeClock())
    with pytest.raises(SourceError, match="/dev/video987: no such camera"):
        open_source("usb:987", SETTINGS, FakeClock())


def test_importing_the_sources_does_not_import_picamera2():
    assert "picamera2" not in vars(picamera)
    assert usb.__name__ == "agent.camera.usb"
