"""A receipt that comes while the camera is away is lost: no broker keeps one. The read is sent
again, and a real receiver, which knows it, answers again and stores nothing twice (P8).
"""

import signal
import socket
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from agent.storage.attempts import Attempts
from tests.fleet.cameras import Cameras
from tests.fleet.sessions import device_key
from tests.support.delivery_rig import CHARTER, one_rule, raw
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST
from tests.support.receiving import Service
from tests.support.sealed import RECIPIENT

pytestmark = [pytest.mark.broker, pytest.mark.slow]
CAMERA = "cam-7"
AGAIN_S = 60.0  # 30 s at most until it is sent again, and a busy machine


class Cable:
    """The camera's way to the broker. `cut`: both ends see the connection end, and nobody gets
    through; `mend`: the next one does.
    """

    def __init__(self, port: int) -> None:
        self._port, self._whole, self._ends = port, True, []
        self._listening = socket.create_server((ADDRESS, 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._carry, daemon=True).start()

    def cut(self) -> None:
        self._whole = False
        for end in self._ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        self._whole = True

    def close(self) -> None:
        self.cut()
        self._listening.close()

    def _carry(self) -> None:
        with suppress(OSError):  # closed
            while True:
                camera, _ = self._listening.accept()
                if not self._whole:
                    camera.close()
                    continue
                broker = socket.create_connection((ADDRESS, self._port))
                self._ends += [camera, broker]
                for ends in ((camera, broker), (broker, camera)):
                    threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def service(tmp_path):
    with Service(tmp_path) as running:
        running.enrolled.enrol({CAMERA: raw(device_key(CAMERA))})
        yield running


@pytest.fixture
def cable(service):
    made = Cable(service.broker.port)
    yield made
    made.close()


@pytest.fixture
def cameras(service, cable, tmp_path):
    """One, whose deliver is not started yet."""
    enrolled, city = service.enrolled, tmp_path / "city"
    (city / "ca").mkdir(parents=True)
    (city / "ca/ca.pem").write_bytes(service.authority.pem.read_bytes())
    (city / "charter.toml").write_text(CHARTER)
    (city / "roster.toml").write_text(
        f'city = "City of Exampleville"\n[[camera]]\nid = "{CAMERA}"\n'
        'stands = "a street of the tests"\nnear = []\nmount = "fixed"\n'
    )
    policy = one_rule(enrolled.signing_key, datetime.now(UTC).date())
    (city / "policy.toml").write_text(
        f'{policy}\n[[broker]]\nid = "city"\nhost = "{HOST}"\n'
        f'addresses = ["{ADDRESS}:{cable.port}"]\nca = "ca.pem"\n'
        f'spki_pins = ["{service.server.pin_text}"]\nrecipients = ["{RECIPIENT}"]\n'
    )
    keys, signing_key = enrolled.key_list(), enrolled.signing_key
    made = Cameras(tmp_path / "cameras", city, [CAMERA], keys, signing_key)
    yield made
    made.end()


def until(done, cameras=None, seconds=30.0) -> None:
    end_s = time.monotonic() + seconds
    while not done():
        if cameras:
            cameras.settle()
            assert not cameras.dead()
        assert time.monotonic() < end_s, "not in time"
        time.sleep(0.05)


def sent_by(service, sender: str, kind: str) -> int:
    """So many packets of a kind Mosquitto has taken from it."""
    said = (service.broker.folder / "mosquitto.log").read_text()
    return said.count(f"Received {kind} from {sender}")


def receipts_from(service) -> int:
    return sent_by(service, RECIPIENT, "PUBLISH")


def test_one_that_comes_while_the_camera_is_away_is_asked_for_again(service, cable, cameras):
    with service.start_receiver().wait_ready() as receiver:
        receiver.process.send_signal(signal.SIGSTOP)
        cameras.start()
        cameras.send()
        until(lambda: sent_by(service, CAMERA, "PUBLISH"))
        cable.cut()
        receiver.process.send_signal(signal.SIGCONT)
        line = receiver.line()
        until(lambda: receipts_from(service))
        assert cameras.waiting() == 1
        cable.mend()
        until(lambda: not cameras.waiting(), cameras, AGAIN_S)
        assert sent_by(service, CAMERA, "PUBLISH") == 2
        assert receipts_from(service) == 2
        assert receiver.stop() == 0
        assert receiver._lines.empty()  # told once
    (sent,) = cameras.sent
    assert line["read"] == sent
    assert (
        "Sending PUBLISH to cam-7 (d0, q0" in (service.broker.folder / "mosquitto.log").read_text()
    )


def test_after_a_start_it_is_asked_for_soon_although_its_turn_is_far(service, cameras):
    """It was published for an hour, and its receipt came while deliver was down."""
    with service.start_receiver().wait_ready() as receiver:
        cameras.send()
        (sent,), (camera,) = cameras.sent, cameras.all
        attempts = Attempts(camera.folder / "state/deliver/attempts.sqlite")
        for _ in range(9):
            attempts.tried(sent, datetime.now(UTC) + timedelta(seconds=500))
        attempts.close()
        other = service.camera()  # the same read has come before, by whichever way
        other.publish((camera.outbox / f"{sent}.sealed").read_bytes())
        receiver.line()
        other.close()
        cameras.start()
        until(lambda: not cameras.waiting(), cameras, AGAIN_S)
        assert sent_by(service, CAMERA, "PUBLISH") == 1
        assert receiver.stop() == 0
        assert receiver._lines.empty()
