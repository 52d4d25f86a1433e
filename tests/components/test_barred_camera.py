"""A barred or unlisted camera's `watch` ends before it opens any frame source, and the log says why."""

import shutil
import sqlite3

import pytest

from agent import camera_side
from agent.errors import ConfigError, PolicyRefusedError
from agent.settings import load
from tests.support.camera_rig import camera_rig

BAR = '\n[[barred]]\nplaces = ["health-care"]\nwhy = "Council resolution"\n'
HOURS = '\n[[barred]]\nplaces = ["health-care"]\nhours = ["00:00-23:59Z"]\nwhy = "Council resolution"\n'


class SensorOpenedError(Exception):
    """Stands for the sensor: whoever opens it is caught."""


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    return camera_rig(tmp_path_factory.mktemp("rig"), frames=1)


@pytest.fixture
def watch(rig, tmp_path, monkeypatch):
    """Run watch over a changed city, up to the point where it opens its source."""
    work = tmp_path / "work"
    shutil.copytree(rig.installation.work, work)
    city = work / "city"

    def opened(*_):
        raise SensorOpenedError

    monkeypatch.setattr(camera_side, "open_source", opened)
    monkeypatch.setattr(camera_side, "build_line", lambda *_: None)

    def run(charter="", policy="", roster=("", "")):
        for name, added in (("charter.toml", charter), ("policy.toml", policy)):
            (city / name).write_text((city / name).read_text() + added)
        (city / "roster.toml").write_text((city / "roster.toml").read_text().replace(*roster))
        camera_side.run(run.settings, "picamera", settle_s=0, allow_unsigned=True)

    run.city, run.log, run.settings = city, work / "state/watch/log.sqlite", load(work / rig.installation.settings.name)
    return run


def leaves(path):
    with sqlite3.connect(path) as log:
        return b" ".join(bytes(details) for (details,) in log.execute("SELECT details FROM leaf")).decode()


def test_a_camera_that_nothing_bars_opens_its_sensor(watch):
    """Without this, the tests below could pass for another reason."""
    with pytest.raises(SensorOpenedError):
        watch()


@pytest.mark.parametrize("file", ["charter", "policy"])
def test_a_barred_camera_does_not_open_its_sensor(watch, file):
    with pytest.raises(PolicyRefusedError) as caught:
        watch(**{file: BAR}, roster=("near = []", 'near = ["health-care"]'))
    assert caught.value.reason == "camera-barred"
    assert caught.value.exit_code == 3
    assert f"{file}.toml:" in caught.value.where
    assert "camera-barred" in leaves(watch.log)


def test_a_place_elsewhere_leaves_the_sensor_open(watch):
    with pytest.raises(SensorOpenedError):
        watch(charter=BAR)


def test_hours_leave_the_sensor_open(watch):
    with pytest.raises(SensorOpenedError):
        watch(policy=HOURS, roster=("near = []", 'near = ["health-care"]'))


def test_a_camera_that_the_roster_does_not_list_does_not_open_its_sensor(watch):
    with pytest.raises(PolicyRefusedError, match="camera-not-in-roster"):
        watch(roster=('id = "', 'id = "x'))
    assert "camera-not-in-roster" in leaves(watch.log)


@pytest.mark.parametrize("spoil", [lambda path: path.unlink(), lambda path: path.write_text("[[camera]]\n")])
def test_without_a_roster_nobody_knows_what_is_barred(watch, spoil):
    spoil(watch.city / "roster.toml")
    with pytest.raises(ConfigError, match=r"roster\.toml"):
        camera_side.run(watch.settings, "picamera", settle_s=0, allow_unsigned=True)
    assert "malformed" in leaves(watch.log)
