"""The city around the booted camera: signed bundles that list one broker and one source of bundles,
a street with a wanted car, a broker, a receiver.
"""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import cv2
import numpy as np

from agent.bundles.layout import POLICY, POLICY_PATH
from agent.demo import scene
from agent.demo.throwaway_city import HOST
from agent.ledger import LONGEST_WAIT_S
from tests.boot.machine import LISTED, LISTED6, Machine
from tests.support.camera_rig import PLATE, camera_rig, edit_policy
from tests.support.mosquitto import Mosquitto
from tests.support.pki import Credentials
from tests.support.receiving import RunningReceiver
from tests.support.signed_camera import signed_camera

BROKER_PORT, SOURCE_PORT, OTHER_PORT = 8883, 8443, 8884
# A killed broker forgets that the receiver subscribed, which comes back up to a minute after it.
# What is published until then reaches nobody, and goes again after its own wait, which doubles.
SETTLE_S = LONGEST_WAIT_S + 60
SHOWN = 8  # pictures of each car
# For half a minute a text is not told again, so ten cars take turns.
PLATES = (
    *(PLATE, "4BMT627", "6JRW358", "2HNP914", "8FKV273"),
    *("3CDX746", "5LGY182", "9TSE635", "4MHA591", "7PZC348"),
)
SETTINGS = """\
camera_id = "{camera}"

[paths]
state = "/var/lib/platewarden"
bundles = "/var/lib/platewarden/bundles-in"

[camera]
width = 640
height = 480
frames_per_second = 5
"""
_SOURCE = """
[[bundle_source]]
id = "city-hall-web"
host = "{host}"
addresses = ["{address}:{port}"]
ca = "city-hall-ca.pem"
spki_pins = ["{pin}"]
"""


class BootCity:
    """`camera`: enrolled, with its keys; `broker` and `receiver` run on this side.

    The receiver tells each read that it has stored.
    """

    def __init__(self, work: Path) -> None:
        rig = camera_rig(work, frames=1, plates=PLATES)
        installation = rig.installation
        edit_policy(rig, f"127.0.0.1:{installation.port}", f"{LISTED}:{BROKER_PORT}")
        edit_policy(rig, "max_per_hour = 20", "max_per_hour = 1000")
        policy = installation.work / "city/policy.toml"
        policy.write_text(
            policy.read_text()
            + _SOURCE.format(
                host=HOST, address=LISTED, port=SOURCE_PORT, pin=installation.server.pin
            )
        )
        self.recipient = installation.recipient
        self.id = json.loads((installation.work / "device/public.json").read_text())["device"]
        self.camera = signed_camera(rig)
        self.work, self.stored = installation.work, set[str]()
        server = Credentials(installation.server.certificate, installation.server.key, b"")
        self.broker = Mosquitto(
            work / "broker", server, persistence=True, address="0.0.0.0", port=BROKER_PORT
        )
        settings = self.recipient / "receiver.toml"
        settings.write_text(settings.read_text().replace(str(installation.port), str(BROKER_PORT)))
        self.receiver: RunningReceiver | None = None

    def start(self) -> None:
        self.broker.start()
        self.receiver = RunningReceiver(self.recipient).wait_ready()

    def stop(self) -> None:
        if self.receiver is not None and self.receiver.process.poll() is None:
            self.receiver.kill()
        self.broker.stop()

    @contextmanager
    def without_broker(self) -> Iterator[None]:
        """Killed, and back at the end however that comes: one test's fault is no other's."""
        self.broker.kill()
        try:
            yield
        finally:
            self.broker.start()

    def take_stored(self) -> set[str]:
        """Ids of all reads that the receiver has stored so far."""
        self.stored |= {
            path.name.split(".")[1] for path in (self.recipient / "store").glob("*.sealed")
        }
        return self.stored

    def enrol(self, machine: Machine) -> None:
        """Settings, keys, the city's root and its first bundles, as `provision` and a stick leave
        them. tmpfiles gives each its owner at boot.
        """
        etc = machine.root / "etc/platewarden"
        etc.mkdir(parents=True, exist_ok=True)
        (etc / "platewarden.toml").write_text(SETTINGS.format(camera=self.id))
        for name in ("device", "trust"):
            shutil.copytree(self.work / name, etc / name, dirs_exist_ok=True)
        self.publish(machine.root)

    def publish(self, root: Path) -> None:
        """What `update` would fetch, put there by hand, timestamp last."""
        self.camera.city.write(root / "var/lib/platewarden/bundles-in")

    def list_another_broker(self, address: str) -> None:
        """A new policy, signed by two: the broker has moved."""
        self.camera.city.edit_policy(
            f"{LISTED}:{BROKER_PORT}".encode(), f"{address}:{BROKER_PORT}".encode()
        )

    def list_first_broker(self, address: str) -> None:
        """And back."""
        self.camera.city.edit_policy(
            f"{address}:{BROKER_PORT}".encode(), f"{LISTED}:{BROKER_PORT}".encode()
        )

    def policy(self) -> str:
        """As published last."""
        return self.camera.city.files[POLICY][POLICY_PATH].decode()


def street(folder: Path) -> None:
    """Ten cars that drive through, one after the other, and the empty road between them, as often
    as tests/boot/picamera2.py shows it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    road = np.full((scene.HEIGHT_PX, scene.WIDTH_PX, 3), 120, np.uint8)
    assert cv2.imwrite(str(folder / "road.png"), road[:480, :640])
    for car, plate in enumerate(PLATES):
        vehicle = scene.Vehicle(plate, "hit", (70, 60, 150), 0, 1, lambda _t: (0.0, 0.0, 0.8))
        for number in range(SHOWN):
            picture = road.copy()
            scene.paste(picture, scene.car(vehicle), 180.0 + 40.0 * number, 300.0, 0.8)
            name = f"car-{car:02d}-{number}.png"
            assert cv2.imwrite(str(folder / name), picture[:480, :640])


def leaves(root: Path, process: str) -> list[dict[str, object]]:
    """What a process's log says, opened, oldest first.

    `root`: by its own path; SQLite would follow /proc/PID/root to this side's root.
    """
    with closing(
        sqlite3.connect(f"file:{root}/var/lib/platewarden/{process}/log.sqlite?mode=ro", uri=True)
    ) as log:
        return [
            json.loads(bytes(details))
            for (details,) in log.execute("SELECT details FROM leaf ORDER BY rowid")
        ]


def released(root: Path) -> set[str]:
    """Ids of every read that watch has released, as its own log says."""
    return {str(leaf["read"]) for leaf in leaves(root, "watch") if leaf["kind"] == "release"}


__all__ = [
    "BROKER_PORT",
    "LISTED6",
    "OTHER_PORT",
    "PLATES",
    "SETTLE_S",
    "SOURCE_PORT",
    "BootCity",
    "leaves",
    "released",
    "street",
]
