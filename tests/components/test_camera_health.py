"""What watch says about its camera: leaves, status, facts for `status` and `doctor`; and the alarms
over drawn pictures that are spoilt as real ones are.
"""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent import cli
from agent.commands import status_output as status_command
from agent.core.camera.camera_event import CameraEvent
from agent.core.camera.standing_alarms import FIRST_LOOKS, IN_A_ROW
from agent.core.reading.sighting import Frame
from agent.demo import scene
from agent.errors import CameraHungError
from agent.settings import Camera, Settings
from agent.sides import camera_state
from agent.sides import watch as watch_side
from agent.sides.camera_health import MOST_LEAVES_AN_HOUR, CameraHealth
from tests.fakes.audit import FakeAuditLog
from tests.fakes.clock import FakeClock


class Systemd:
    def __init__(self):
        self.said = []

    def status(self, text):
        self.said.append(text)


class Rig:
    def __init__(self, root: Path) -> None:
        (root / "state" / "watch").mkdir(parents=True)
        self.clock, self.log, self.systemd = FakeClock(), FakeAuditLog(), Systemd()
        settings = Settings(camera_id="cam-1", root=root, camera=Camera(look_every_s=60))
        self.health = CameraHealth(settings, self.clock, self.log, self.systemd)
        self.facts_path = root / "state" / "watch" / "camera.json"

    def leaves(self):
        return [details for kind, details in self.log.leaves if kind == "camera"]

    def facts(self):
        return json.loads(self.facts_path.read_text())

    def show(self, pictures):
        """One a minute."""

        def frames():
            for number, picture in enumerate(pictures):
                yield Frame(picture, self.clock.now(), number)
                self.clock.advance(60)

        return list(self.health.looked(frames()))


@pytest.fixture
def rig(tmp_path):
    return Rig(tmp_path)


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    paths = scene.render(tmp_path_factory.mktemp("street"))
    return [cv2.imread(str(path)) for path in paths[::4]]


def shifted(picture):
    return cv2.warpAffine(
        picture,
        np.float32([[1, 0, 80], [0, 1, 20]]),
        picture.shape[1::-1],
        borderMode=cv2.BORDER_REFLECT,
    )


def smeared(picture):
    """A bag or a leaf on the glass: light, and no shape.

    Blurred small: the same, in a thousandth of the time.
    """
    small = cv2.resize(picture, (80, 45), interpolation=cv2.INTER_AREA)
    return cv2.resize(cv2.GaussianBlur(small, (0, 0), 7.5), picture.shape[1::-1]) // 6 + 90


def spattered(picture):
    """Drops on the glass: out of focus, and light leaks through them."""
    rng, mask = np.random.default_rng(3), np.zeros(picture.shape[:2], np.float32)
    for _ in range(25):
        cv2.circle(
            mask,
            (int(rng.integers(1280)), int(rng.integers(720))),
            int(rng.integers(60, 140)),
            1,
            -1,
        )
    mask = cv2.GaussianBlur(mask, (0, 0), 15)[:, :, None]
    return (
        picture * (1 - mask) + (cv2.GaussianBlur(picture, (0, 0), 12) * 0.6 + 70) * mask
    ).astype(np.uint8)


def noisy(picture, share):
    return np.clip(
        picture * share + np.random.default_rng(1).normal(0, 3, picture.shape), 0, 255
    ).astype(np.uint8)


SPOILT = {
    "blocked": smeared,
    "dirty": spattered,
    "moved": shifted,
    "dark": lambda picture: noisy(picture, 0.03),
    "blurred": lambda picture: cv2.GaussianBlur(picture, (0, 0), 3),
}


@pytest.mark.parametrize("alarm", SPOILT)
def test_a_spoilt_picture_raises_its_alarm_and_a_good_one_clears_it(rig, street, alarm):
    spoilt = [SPOILT[alarm](picture) for picture in street[:IN_A_ROW]]
    rig.show(street[: FIRST_LOOKS + 2])
    rig.show(spoilt)
    (raised,) = rig.leaves()
    assert (raised["what"], raised["alarm"], raised["state"]) == ("alarm", alarm, "raised")
    assert list(rig.facts()["alarms"]) == [alarm]
    assert rig.systemd.said[-1] == f"watches; the camera is {alarm}"
    rig.show(street[:IN_A_ROW])
    assert [leaf["state"] for leaf in rig.leaves()] == ["raised", "cleared"]
    assert rig.facts()["alarms"] == {}
    assert rig.systemd.said[-1] == "watches"


def test_passing_cars_and_a_falling_dusk_raise_nothing(rig, street):
    rig.show(street)
    rig.show([noisy(street[number % len(street)], 1 - 0.03 * number) for number in range(20)])
    assert rig.leaves() == []


def test_one_look_a_minute_however_fast_frames_come(rig, street, monkeypatch):
    looks = []
    monkeypatch.setattr(rig.health, "_look", looks.append)

    def frames():
        for number in range(130):
            yield Frame(street[0], rig.clock.now(), number)
            rig.clock.advance(1)

    assert len(list(rig.health.looked(frames()))) == 130, "every frame goes on to the line"
    assert [frame.sequence for frame in looks] == [0, 60, 120]


def test_dropped_frames_are_counted_for_status(rig):
    def frames():
        for number, missed in enumerate([0, 2, 0, 3]):
            yield Frame(np.zeros((4, 4, 3), np.uint8), rig.clock.now(), number, missed=missed)
            rig.clock.advance(60)

    list(rig.health.looked(frames()))
    assert (rig.facts()["frames"], rig.facts()["dropped"]) == (4, 5)
    told = status_command._camera(camera_state._camera(rig.facts_path))
    assert "5 frames dropped beside 4 looked at" in told


def test_while_none_is_dropped_no_card_is_written_for_it(rig):
    written = rig.facts_path.stat().st_mtime_ns
    rig.show([np.zeros((4, 4, 3), np.uint8)] * 2)
    assert rig.facts_path.stat().st_mtime_ns == written


def test_a_loose_cable_fills_no_log_and_what_was_left_out_is_told(rig):
    event = CameraEvent(
        "stalled", "the camera gives no frame for 5 s", {"rung": "retry", "seconds": 5.0}
    )
    for _ in range(MOST_LEAVES_AN_HOUR + 40):
        rig.health.tell(event)
        rig.clock.advance(5)
    assert len(rig.leaves()) == MOST_LEAVES_AN_HOUR
    rig.clock.advance(3600)
    rig.health.tell(event)
    assert rig.leaves()[-1]["untold"] == 40
    assert rig.facts()["stalls"] == MOST_LEAVES_AN_HOUR + 41


def test_a_stall_is_the_status_until_frames_come_again(rig):
    rig.health.tell(CameraEvent("stalled", "the camera gives no frame for 5 s", {"rung": "retry"}))
    rig.health.tell(
        CameraEvent(
            "recovered", "the camera gives frames again after 6 s (retry)", {"rung": "retry"}
        )
    )
    assert rig.systemd.said == ["the camera gives no frame for 5 s", "watches"]


def test_the_profile_in_force_is_told(rig):
    rig.health.tell(CameraEvent("profile", "it is night (4 lux)", {"profile": "night", "lux": 4.0}))
    assert rig.facts()["profile"] == "night"


def test_a_camera_that_hangs_ends_the_process_without_pythons_good_night(
    tmp_path, monkeypatch, capfd
):
    """It would wait for the library's dead threads."""
    settings = tmp_path / "platewarden.toml"
    settings.write_text('camera_id = "cam-1"\n')

    def hung(*_arguments, **_named):
        raise CameraHungError(
            "the camera does not stop and start: still busy after 5 s", where="picamera"
        )

    def ended(code):
        raise SystemExit(40 + code)

    monkeypatch.setattr(watch_side, "run", hung)
    monkeypatch.setattr(os, "_exit", ended)
    with pytest.raises(SystemExit) as caught:
        cli.main(["watch", "--config", str(settings)])
    assert caught.value.code == 41
    assert "picamera: the camera does not stop and start" in capfd.readouterr().err
