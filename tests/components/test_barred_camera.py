"""A barred or unlisted camera's `watch` ends before it opens any frame source, and the log says
why; in barred hours the sensor is closed.
"""

import shutil
import sqlite3
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agent.core.policy.barring import Bar, Hours
from agent.core.reading.sighting import Frame
from agent.errors import ConfigError, PolicyRefusedError
from agent.settings import load
from agent.sides import line_keeper
from agent.sides import watch as watch_side
from agent.sides.line_keeper import LineKeeper
from tests.fakes.clock import START, FakeClock

BAR = '\n[[barred]]\nplaces = ["health-care"]\nwhy = "Council resolution"\n'
HOURS = (
    '\n[[barred]]\nplaces = ["health-care"]\nhours = ["00:00-23:59Z"]\nwhy = "Council resolution"\n'
)


class SensorOpenedError(Exception):
    """Stands for the sensor: whoever opens it is caught."""


@pytest.fixture
def watch(installed, tmp_path, monkeypatch):
    """Run watch over a changed city, up to the point where it opens its source."""
    work = tmp_path / "work"
    shutil.copytree(installed.installation.work, work)
    city = work / "city"

    def opened(*_, **_tell):
        raise SensorOpenedError

    monkeypatch.setattr(watch_side, "open_source", opened)
    monkeypatch.setattr(
        watch_side, "build_line", lambda *_: SimpleNamespace(hotlist=SimpleNamespace(digest=""))
    )
    monkeypatch.setattr(watch_side, "tell_hotlist", lambda *_: None)
    monkeypatch.setattr(
        watch_side,
        "LineKeeper",
        lambda *_: SimpleNamespace(
            barred=False,
            hours_barred=lambda: False,
            close=lambda: None,
            floor=SimpleNamespace(write=lambda **_: None),
        ),
    )

    def run(charter="", policy="", roster=("", "")):
        for name, added in (("charter.toml", charter), ("policy.toml", policy)):
            (city / name).write_text((city / name).read_text() + added)
        (city / "roster.toml").write_text((city / "roster.toml").read_text().replace(*roster))
        watch_side.run(run.settings, "picamera", settle_s=0, allow_unsigned=True)

    run.city = city
    run.log = work / "state/watch/log.sqlite"
    run.settings = load(work / installed.installation.settings.name)
    return run


def leaves(path):
    with sqlite3.connect(path) as log:
        return b" ".join(
            bytes(details) for (details,) in log.execute("SELECT details FROM leaf")
        ).decode()


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


def test_bars_with_hours_let_watch_start(watch):
    with pytest.raises(SensorOpenedError):
        watch(policy=HOURS, roster=("near = []", 'near = ["health-care"]'))


class Sensor:
    """A frame source that says when it was opened and closed; each frame takes ten minutes."""

    def __init__(self, clock, told, frames=200):
        self.clock, self.told, self.left = clock, told, frames
        told.append(f"open {clock.utc:%H:%M}")

    def frames(self):
        while self.left:
            self.left -= 1
            self.clock.advance(600)
            yield Frame(np.zeros((4, 4, 3), np.uint8), self.clock.now(), 0)

    def close(self):
        self.told.append(f"closed {self.clock.utc:%H:%M}")


AFTERNOON = (Bar(None, frozenset(), (Hours(13 * 60, 15 * 60),), "Council resolution"),)


def hours_of(monkeypatch, source, stop_after, bars=AFTERNOON):
    """What watch_source does from noon on: what the sensor was told, in which hours frames came, in
    which ones the rest went on without.
    """
    clock, told, seen, rounds = FakeClock(), [], [], []
    monkeypatch.setattr(watch_side, "open_source", lambda *_, **_tell: Sensor(clock, told))
    monkeypatch.setattr(watch_side, "MaskedSource", lambda frames, _: frames)
    monkeypatch.setattr(watch_side, "load_view", lambda _: None)
    monkeypatch.setattr(line_keeper, "build_settler", lambda *_: None)
    monkeypatch.setattr(
        line_keeper, "build_outcomes", lambda *_: SimpleNamespace(stopped=frozenset())
    )
    monkeypatch.setattr(
        watch_side.pipeline,
        "watch",
        lambda _line, frames, _: seen.extend(frame.captured.utc.hour for frame in frames),
    )
    monkeypatch.setattr(LineKeeper, "between_frames", lambda _: rounds.append(clock.utc.hour))
    notifier = SimpleNamespace(status=told.append, progress=lambda: None)
    settings = SimpleNamespace(
        camera_id="cam-1",
        view=None,
        outbox=Path("outbox"),
        receipts=Path("receipts"),
        state=Path("state"),
    )
    health = SimpleNamespace(tell=None, looked=lambda frames: frames, standing=lambda: "watches")
    held = watch_side.Watch(
        settings, clock, None, None, lambda: clock.utc >= START + stop_after, notifier, health
    )
    decider = SimpleNamespace(stop=lambda _: None)
    line = SimpleNamespace(outbox=None, decider=decider, closed=None, tally=None)
    keeper = LineKeeper(held, SimpleNamespace(barred=bars), line)
    assert watch_side.watch_source(held, keeper, source)
    return told, sorted(set(seen)), sorted(set(rounds))


def test_a_sensor_is_closed_in_barred_hours_and_opened_after_them(monkeypatch, capsys):
    told, seen, rounds = hours_of(monkeypatch, "picamera", timedelta(hours=4))
    assert told == [
        "open 12:00",
        "closed 13:00",
        "watches nothing: the city bars this hour",
        "watches",
        "open 15:00",
        "closed 16:00",
    ]
    assert seen == [12, 15]
    assert capsys.readouterr().err.splitlines() == [
        "platewarden watch: camera: is closed: the city bars this hour",
        "platewarden watch: camera: watches",
    ]
    assert rounds == [13, 14]  # receipts, bundles and the watchdog go on


def test_one_told_to_stop_in_barred_hours_stops_with_its_sensor_closed(monkeypatch):
    told, _, _ = hours_of(monkeypatch, "usb:0", timedelta(hours=2))
    assert told == [
        "open 12:00",
        "closed 13:00",
        "watches nothing: the city bars this hour",
        "watches",
    ]


def test_a_recording_is_played_through_because_its_frames_would_start_anew(monkeypatch):
    told, seen, _ = hours_of(monkeypatch, "drive.mp4", timedelta(hours=4))
    assert told == ["open 12:00", "closed 16:00"]
    assert seen == [12, 13, 14, 15]


def test_another_cameras_hours_close_nothing(monkeypatch, tmp_path):
    bars = (Bar(frozenset({"cam-2"}), frozenset(), (Hours(0, 1439),), "Council resolution"),)
    told, _, _ = hours_of(monkeypatch, "picamera", timedelta(hours=1), bars)
    assert told == ["open 12:00", "closed 13:00"]


def test_a_camera_that_the_roster_does_not_list_does_not_open_its_sensor(watch):
    with pytest.raises(PolicyRefusedError, match="camera-not-in-roster"):
        watch(roster=('id = "', 'id = "x'))
    assert "camera-not-in-roster" in leaves(watch.log)


@pytest.mark.parametrize(
    "spoil", [lambda path: path.unlink(), lambda path: path.write_text("[[camera]]\n")]
)
def test_without_a_roster_nobody_knows_what_is_barred(watch, spoil):
    spoil(watch.city / "roster.toml")
    with pytest.raises(ConfigError, match=r"roster\.toml"):
        watch_side.run(watch.settings, "picamera", settle_s=0, allow_unsigned=True)
    assert "malformed" in leaves(watch.log)
