"""Options and parts for the tests on hardware: a Raspberry Pi with a camera, or, without one, a rendered street as a video."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.camera.sources import open_source
from agent.clock import SystemClock
from agent.ports import FrameSource
from agent.settings import Settings, load

SIMULATED = "simulated"


def pytest_addoption(parser):
    group = parser.getgroup("platewarden hardware")
    group.addoption("--hw-source", default=SIMULATED, help="simulated (default), picamera, usb:N, or a folder or video; as --source of `platewarden run`")
    group.addoption("--hw-config", type=Path, default=None, help="settings file of this camera; default: the defaults of docs/ref/settings.md")
    group.addoption("--hw-plate", default=None, help="the plate that is held before the camera: use a fictitious one; without it the reading test is skipped")
    group.addoption("--hw-frames", type=int, default=30, help="frames to take for counting and timing")
    group.addoption("--hw-min-fps", type=float, default=0.0, help="fail when fewer frames a second arrive (default: only record the rate)")


@pytest.fixture(scope="session")
def hw_settings(request) -> Settings:
    path = request.config.getoption("--hw-config")
    return load(path) if path else Settings(camera_id="hw-test")


@pytest.fixture(scope="session")
def hw_plate(request) -> str:
    """The text that must be read. Held before a real camera by a person; in the simulated street it is the first car's."""
    from agent.demo.scene import HIT

    given = request.config.getoption("--hw-plate")
    if given is None and request.config.getoption("--hw-source") != SIMULATED:
        pytest.skip("no plate is shown: hold a printed, fictitious one before the camera and give --hw-plate TEXT")
    return given or HIT.plate


@pytest.fixture(scope="session")
def hw_spec(request, tmp_path_factory) -> str:
    given = request.config.getoption("--hw-source")
    return str(rendered_street(tmp_path_factory.mktemp("street"))) if given == SIMULATED else given


@pytest.fixture
def source(hw_spec, hw_settings) -> Iterator[FrameSource]:
    """The camera, opened anew for each test and released after it."""
    opened = open_source(hw_spec, hw_settings, SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def frame_count(request) -> int:
    return request.config.getoption("--hw-frames")


def rendered_street(folder: Path) -> Path:
    """The demo's street with fictitious cars, as a video of about six seconds."""
    import av
    import cv2

    from agent.demo import scene

    path = folder / "street.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=15, options={"crf": "18", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = scene.WIDTH_PX, scene.HEIGHT_PX, "yuv420p"
        for picture in scene.render(folder / "frames"):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(cv2.imread(str(picture)), "bgr24")))
        container.mux(stream.encode())
    return path
