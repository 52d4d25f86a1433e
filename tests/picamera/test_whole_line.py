"""Real picamera2 frames through the whole line, as processes: watch, without any network, deliver,
a broker, the recipient.

And the camera fails.
"""

import configparser
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest

from agent.demo import scene
from agent.demo.embedded_broker import running_broker
from agent.demo.installation import Installation, install, platewarden
from agent.demo.processes import background
from agent.demo.story import leaves
from tests.picamera import stalling, street

LISTED = scene.HIT.plate
UNIT = Path(__file__).parents[2] / "systemd" / "platewarden-watch.service"
TIMEOUT_S = 1.5
SETTINGS = f"""
[camera]
width = {scene.WIDTH_PX}
height = {scene.HEIGHT_PX}
timeout_s = {TIMEOUT_S}
"""


class Rig:
    """One camera, its recipient, and what watch is told about its sensor."""

    def __init__(self, folder: Path) -> None:
        self.installation: Installation = install(folder / "work", datetime.now(UTC), (LISTED,))
        with self.installation.settings.open("a") as settings:
            settings.write(SETTINGS)
        self.stall = folder / "stall"
        self.systemd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.systemd.bind(str(folder / "notify"))
        self.told: list[str] = []
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        """As systemd: always. A socket that nobody reads fills up, and watch would wait for it."""
        while True:
            self.told.append(self.systemd.recv(4096).decode())

    @contextmanager
    def watching(self):
        """`platewarden watch` over the camera, in a network namespace where there is nothing, not
        even a loopback.
        """
        command = [
            "unshare",
            "--net",
            sys.executable,
            "-m",
            "tests.picamera.as_pi",
            "watch",
            "--allow-unsigned",
            "--config",
            str(self.installation.settings),
        ]
        with self.installation.log.open("ab") as log:
            environment = {
                **os.environ,
                "NO_COLOR": "1",
                stalling.STALL_FILE: str(self.stall),
                "NOTIFY_SOCKET": self.systemd.getsockname(),
            }
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()

    def leaves(self, kind: str, side: str = "watch") -> list[dict[str, object]]:
        if not (self.installation.state / side / "log.sqlite").exists():
            return []
        return [leaf for leaf in leaves(self.installation, side) if kind in ("", leaf["kind"])]

    def opened(self) -> list[dict[str, object]]:
        return [
            json.loads(line)
            for line in platewarden(
                "receiver", "open", self.installation.recipient, "--json"
            ).stdout.splitlines()
        ]

    def said(self) -> str:
        """What the processes printed and logged, for whoever reads a failure."""
        logged = [
            f"{side}: {leaf}" for side in ("watch", "deliver") for leaf in self.leaves("", side)
        ]
        printed = (
            self.installation.log.read_text(errors="replace")
            if self.installation.log.exists()
            else ""
        )
        return "\n".join([printed, *logged, *map(str, self.installation.state.rglob("*.sealed"))])


@pytest.fixture(scope="module")
def rig(tmp_path_factory):
    street.show_street()
    return Rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def city(rig):
    """Broker, the recipient's receiver, and deliver: all that is not the camera's process."""
    installation = rig.installation
    deliver = ["deliver", "--allow-unsigned", "--config", str(installation.settings)]
    with (
        running_broker(installation.work / "broker", installation.server, installation.port),
        background(
            installation, "receiver", "run", str(installation.recipient), "--json", ready="READY"
        ),
        background(installation, *deliver, ready="unsigned"),
    ):
        yield


def until(true, within_s, why):
    end_s = time.monotonic() + within_s
    while not (value := true()):
        assert time.monotonic() < end_s, why()
        time.sleep(0.2)
    return value


def test_plates_in_the_played_frames_arrive_opened_at_the_receiver(rig, city):
    with rig.watching() as watch:
        until(lambda: rig.leaves("receipt") or watch.poll() is not None, 120, rig.said)
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0, rig.said()
    opened = rig.opened()
    assert opened
    assert {read["plate"] for read in opened} == {LISTED}, (
        "the listed car, and none of the others that drove past"
    )
    counted = rig.leaves("counts")[-1]
    assert counted["sightings"] > counted["sightings"] - counted["dropped"] > 0, (
        "others were seen, and dropped"
    )
    for vehicle in scene.VEHICLES:
        assert vehicle.plate not in rig.said()


def rungs(rig, since=0):
    return [
        leaf.get("rung") if leaf["what"] == "stalled" else leaf["what"]
        for leaf in rig.leaves("camera")[since:]
    ]


@contextmanager
def frames_coming(rig):
    """A watch whose camera delivers."""
    with rig.watching() as watch:
        rig.told.clear()
        # Only a frame that went through the line feeds it.
        until(lambda: "WATCHDOG=1" in rig.told or watch.poll() is not None, 90, rig.said)
        assert watch.poll() is None, rig.said()
        yield watch


def restarted_by_its_unit(code: int) -> bool:
    """Would systemd start watch again after this exit code?

    By the unit file that is shipped; booted for real elsewhere.
    """
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(UNIT)
    service = unit["Service"]
    return (
        service["Restart"] == "on-failure"
        and code != 0
        and str(code) not in service["RestartPreventExitStatus"].split()
    )


@pytest.mark.parametrize(
    ("until_what", "climbed"),
    [(stalling.RESTART, ["retry", "restart"]), (stalling.REOPEN, ["retry", "restart", "reopen"])],
)
def test_a_silent_camera_is_helped_up_the_ladder_and_goes_on(rig, until_what, climbed):
    with frames_coming(rig) as watch:
        since = len(rig.leaves("camera"))
        stalling.stall(rig.stall, until_what)
        until(lambda: "recovered" in rungs(rig, since) or watch.poll() is not None, 60, rig.said)
        assert rungs(rig, since) == [*climbed, "recovered"], rig.said()
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0, rig.said()


def test_a_camera_that_stays_silent_ends_watch_so_that_its_unit_restarts_it_and_plates_arrive_again(
    rig, city
):
    with frames_coming(rig) as watch:
        since = len(rig.leaves("camera"))
        stalling.stall(rig.stall, stalling.FOR_GOOD)
        begun_s = time.monotonic()
        code = watch.wait(60)
        took_s = time.monotonic() - begun_s
    assert code == 1, rig.said()
    assert restarted_by_its_unit(code)
    assert not restarted_by_its_unit(3), "this test can fail"
    assert took_s >= 4 * TIMEOUT_S
    assert rungs(rig, since) == ["retry", "restart", "reopen", "exit"]
    assert [told for told in rig.told if told.startswith("STATUS=the camera gives no frame")], (
        "systemctl status says so meanwhile"
    )
    assert rig.leaves("stop"), "the log ends in order"
    rig.stall.unlink()
    delivered = len(rig.leaves("receipt"))
    with rig.watching() as watch:
        until(
            lambda: len(rig.leaves("receipt")) > delivered or watch.poll() is not None,
            120,
            rig.said,
        )
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0, rig.said()
    assert {read["plate"] for read in rig.opened()} == {LISTED}


def test_a_hung_driver_ends_watch_all_the_same(rig):
    """libcamera's own threads stand still.

    Its `stop` then waits for ever and holds Python's lock: no line of ours runs any more.
    """
    with frames_coming(rig) as watch:
        since = len(rig.leaves("camera"))
        with stalling.frozen(watch.pid) as threads:
            assert threads
            code = until(watch.poll, 60, rig.said)
    assert code == 1, rig.said()
    assert restarted_by_its_unit(code)
    assert rungs(rig, since) == ["retry", "restart"], (
        "each rung is told before it is climbed: the log says where it hung"
    )
    with frames_coming(rig) as watch:
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(30) == 0, rig.said()
