"""Options and parts for the tests on hardware: a rig by labgrid's environment, a camera of this
machine, or, without either, a clip of bench/clips as a video.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from agent.camera.sources import open_source
from agent.host.clock import SystemClock
from agent.ports import FrameSource
from agent.settings import Settings, load
from hw_tests.history.collecting import Collector
from hw_tests.rig.fixtures import (
    cable,
    device,
    environment_file,
    has_rig,
    options,
    out,
    strategy_or_none,
    whole_device,
    world,
)

# Fixtures that pytest finds here by name.
__all__ = ["cable", "device", "options", "out", "strategy_or_none", "whole_device", "world"]

SIMULATED = "simulated"
CLIP, SEED = "passing-20mph-day", 1  # of bench/clips
COLLECTOR = "platewarden-history"
FEATURES = ("camera", "display", "network", "power", "rtc", "watchdog", "throttle")


def pytest_addoption(parser):
    group = parser.getgroup("platewarden hardware")
    group.addoption(
        "--hw-source",
        default=SIMULATED,
        help="simulated (default), picamera, usb:N, or a folder or video; "
        "as --source of `platewarden run`",
    )
    group.addoption(
        "--hw-config",
        type=Path,
        default=None,
        help="settings file of this camera; default: the defaults of docs/ref/settings.md",
    )
    group.addoption(
        "--hw-plate",
        default=None,
        help="the plate that is held before the camera: use a fictitious one; "
        "without it the reading test is skipped",
    )
    group.addoption(
        "--hw-frames", type=int, default=30, help="frames to take for counting and timing"
    )
    group.addoption(
        "--hw-min-fps",
        type=float,
        default=0.0,
        help="fail when fewer frames a second arrive (default: only record the rate)",
    )
    group.addoption(
        "--hw-out",
        default="hw-out",
        help="folder for pictures of the chart and the page (default: hw-out)",
    )
    group.addoption(
        "--hw-history",
        type=Path,
        default=None,
        help="folder of records, one a run; the page goes to --hw-out (default: no record)",
    )
    group.addoption(
        "--hw-soak-s",
        type=float,
        default=10.0,
        help="how long to heat the processor; a night's run wants 1800",
    )
    group.addoption(
        "--hw-cuts",
        type=int,
        default=3,
        help="how often to cut the power, or kill the processes where there is no power port",
    )


def pytest_configure(config):
    config.addinivalue_line(
        "markers",
        f"lg_feature: needs features of the rig ({', '.join(FEATURES)}); "
        "labgrid skips where the environment file lacks one",
    )
    if folder := config.getoption("--hw-history"):
        environment = (
            Path(environment_file(config)).stem
            if has_rig(config)
            else f"no rig, --hw-source {config.getoption('--hw-source')}"
        )
        config.pluginmanager.register(
            Collector(folder, Path(config.getoption("--hw-out")) / "index.html", environment),
            COLLECTOR,
        )


@pytest.fixture
def figure(request, record_testsuite_property):
    """`figure(name, value, unit)`: into the JUnit file and the history; a played one is marked."""
    collector = request.config.pluginmanager.getplugin(COLLECTOR)
    simulated = (
        request.getfixturevalue("options").simulated
        if has_rig(request.config)
        else request.config.getoption("--hw-source") == SIMULATED
    )

    def record(name: str, value: float, unit: str) -> None:
        beside = "_simulated" if simulated else ""
        record_testsuite_property(name.replace(" ", "_") + beside, value)
        if collector:
            collector.figure(name, value, unit, simulated=simulated)

    return record


@pytest.fixture
def strike_out(request):
    """`strike_out(text)`: a fictitious plate that this test shows, which no message of the record
    may repeat.
    """
    collector = request.config.pluginmanager.getplugin(COLLECTOR)
    return collector.plates.add if collector else lambda _text: None


@pytest.fixture(scope="session", autouse=True)
def _who_ran(request):
    """Sensor, software and models of the camera under test, for the record."""
    collector = request.config.pluginmanager.getplugin(COLLECTOR)
    if collector and has_rig(request.config):
        found = request.getfixturevalue("whole_device").probe("about")
        rig = request.getfixturevalue("options")
        collector.models = found.pop("models")
        collector.where |= {**found, "sensor": rig.sensor}


@pytest.fixture(scope="session")
def hw_settings(request) -> Settings:
    path = request.config.getoption("--hw-config")
    return load(path) if path else Settings(camera_id="hw-test")


@pytest.fixture(scope="session")
def hw_plate(request) -> str:
    """The text that must be read.

    Held before a real camera by a person; in the simulated street it is the first readable car's.
    """
    given = request.config.getoption("--hw-plate")
    if given is None and request.config.getoption("--hw-source") != SIMULATED:
        pytest.skip(
            "no plate is shown: "
            "hold a printed, fictitious one before the camera and give --hw-plate TEXT"
        )
    return given or next(plate.text for plate in street_clip().plates if plate.readable)


@pytest.fixture(scope="session")
def hw_spec(request, tmp_path_factory) -> str:
    given = request.config.getoption("--hw-source")
    if (
        given == SIMULATED
        and has_rig(request.config)
        and not request.getfixturevalue("options").simulated
    ):
        pytest.skip(
            "looks through a camera of this machine; "
            "the rig's is another machine, looked through by test_frames.py and test_display.py"
        )
    if given != SIMULATED:
        return given
    from bench.clips.video import write_video

    return str(write_video(street_clip(), tmp_path_factory.mktemp("street") / "street.mp4"))


@pytest.fixture
def source(hw_spec, hw_settings) -> Iterator[FrameSource]:
    """The camera, opened anew for each test and released after it."""
    opened = open_source(hw_spec, hw_settings, SystemClock())
    yield opened
    opened.close()


@pytest.fixture
def frame_count(request) -> int:
    return request.config.getoption("--hw-frames")


@cache
def street_clip():
    """Cars with fictitious plates that pass one after another; about ten seconds."""
    from bench.clips.catalogue import SCENES

    return SCENES[CLIP](SEED)
