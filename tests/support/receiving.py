"""A recipient's folder with an enrolled camera, and a real `receiver run` process beside a real
broker, for tests.
"""

import json
import queue
import signal
import ssl
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import paho.mqtt.client as mqtt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from agent.core.text.strict_json import canonical, public_jwk
from agent.core.time.instant import Instant
from agent.core.wire.epochs import EpochKeys
from agent.core.wire.receipt import Receipt
from agent.core.wire.sealed_read import SealedRead
from agent.core.wire.versions import VERSIONS, Versions
from agent.receiver.receiver_settings import BrokerSettings
from agent.receiver.workplace import Workplace
from agent.sealing.sealer import Sealer
from agent.verifying.key_list_check import verify_key_list
from agent.verifying.receipt_check import ReceiptVerifier
from agent.verifying.roster_check import Roster, format_roster
from tests.support.mosquitto import ADDRESS, Mosquitto
from tests.support.pki import HOST, Authority
from tests.support.sealed import DEVICE, RECIPIENT, release, sighting, sign_compact

WAIT_S = 60.0  # generous: a busy machine must not fail a test


def this_instant() -> Instant:
    """Now, in whole milliseconds."""
    now = datetime.now(UTC)
    return Instant(now.replace(microsecond=now.microsecond // 1000 * 1000))


class Enrolled:
    """A recipient's folder and one camera that its city enrolled.

    `seal` makes reads that it can open. `versions`: of the sealed read, those that the recipient
    takes.
    """

    def __init__(
        self,
        folder: Path,
        broker: BrokerSettings | None = None,
        now: Instant | None = None,
        versions: Versions = VERSIONS,
    ) -> None:
        self.now = now or this_instant()
        self.root_key, self.device_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
        self.place = Workplace.create(
            folder, RECIPIENT, self.now, broker, epochs_ahead_days=25, versions=versions
        )
        self.folder = folder
        (folder / "root.json").write_bytes(
            canonical(public_jwk("Ed25519", self.root_key.public_key().public_bytes_raw()))
        )
        self.enrol({DEVICE: self.device_key.public_key().public_bytes_raw()})
        self.signing_key = self.place.signer().public_key
        self._sequence = 0

    def enrol(self, devices: dict[str, bytes]) -> None:
        roster = format_roster(Roster("City of Exampleville", self.now.utc, devices))
        (self.folder / "roster.jws").write_bytes(
            sign_compact(self.root_key, "platewarden-roster", roster)
        )

    def key_list(self) -> EpochKeys:
        return verify_key_list(
            (self.folder / "key-list.jws").read_bytes(), RECIPIENT, self.signing_key
        )

    def seal(
        self,
        retention_days: int = 21,
        key_list: EpochKeys | None = None,
        captured: Instant | None = None,
        device: str = DEVICE,
        versions: Versions = VERSIONS,
    ) -> SealedRead:
        self._sequence += 1
        keys = {RECIPIENT: key_list or self.key_list()}
        sealer = Sealer(device, self.device_key, keys, versions)
        return sealer.seal(
            sighting((captured or self.now).utc),
            release(retention_days=retention_days),
            self._sequence,
        )


class RunningReceiver:
    """`receiver run DIR --json` as a process.

    `line` and `complaint`: what it says on stdout and stderr.
    """

    def __init__(self, folder: Path, *options: str) -> None:
        command = [
            sys.executable,
            "-m",
            "agent",
            "receiver",
            "run",
            str(folder),
            "--json",
            *options,
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._complaints: queue.Queue[str] = queue.Queue()
        for stream, lines in (
            (self.process.stdout, self._lines),
            (self.process.stderr, self._complaints),
        ):
            threading.Thread(target=self._pump, args=(stream, lines), daemon=True).start()
        self.said: list[str] = []

    @staticmethod
    def _pump(stream, lines):
        for line in stream:
            lines.put(line.rstrip("\n"))
        stream.close()

    def wait_ready(self) -> "RunningReceiver":
        self.complaint("READY")
        return self

    def line(self) -> dict[str, object]:
        return json.loads(self._lines.get(timeout=WAIT_S))

    def complaint(self, part: str) -> str:
        """The next line on stderr that contains `part`."""
        while True:
            try:
                line = self._complaints.get(timeout=WAIT_S)
            except queue.Empty:
                raise AssertionError(f"no line with {part!r}; said: {self.said}") from None
            self.said.append(line)
            if part in line:
                return line

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(WAIT_S)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(WAIT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()


class Camera:
    """The network side of a camera: publishes wire bytes, collects receipts."""

    def __init__(
        self,
        broker: Mosquitto,
        ca: Path,
        verifier: ReceiptVerifier,
        device: str = DEVICE,
        certificate: tuple[Path, Path] | None = None,
    ) -> None:
        self._verifier = verifier
        self._receipts: queue.Queue[bytes] = queue.Queue()
        self._ready = threading.Event()
        self.client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2, f"camera-{device}", protocol=mqtt.MQTTv5
        )
        context = ssl.create_default_context(cafile=str(ca))
        context.check_hostname = False
        if certificate is not None:
            context.load_cert_chain(*certificate)
        self.client.tls_set_context(context)
        self.client.tls_insecure_set(True)
        self.client.on_message = lambda _c, _d, message: self._receipts.put(message.payload)
        self.client.on_subscribe = lambda *_: self._ready.set()
        self.client.connect(ADDRESS, broker.port)
        self.client.loop_start()
        self.client.subscribe(f"platewarden/1/receipts/{device}", qos=1)
        assert self._ready.wait(WAIT_S)

    def publish(self, wire: bytes, recipient: str = RECIPIENT) -> None:
        self.client.publish(f"platewarden/1/reads/{recipient}", wire, qos=1).wait_for_publish(
            WAIT_S
        )

    def receipt(self) -> Receipt:
        return self._verifier.verify(self._receipts.get(timeout=WAIT_S))

    def no_receipt(self, seconds: float = 0.5) -> bool:
        try:
            self._receipts.get(timeout=seconds)
        except queue.Empty:
            return True
        return False

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Service:
    """Broker, recipient and camera together; a context manager."""

    def __init__(self, folder: Path, **broker_options: object) -> None:
        self.authority = Authority(folder / "pki")
        self.server = self.authority.server()
        self.broker = Mosquitto(folder / "broker", self.server, **broker_options)
        settings = BrokerSettings(
            host=HOST, address=ADDRESS, port=self.broker.port, ca=self.authority.pem
        )
        self.enrolled = Enrolled(folder / "recipient", settings)
        self.folder = self.enrolled.folder

    def start_receiver(self) -> RunningReceiver:
        return RunningReceiver(self.folder)

    def camera(self) -> Camera:
        return Camera(
            self.broker, self.authority.pem, ReceiptVerifier({RECIPIENT: self.enrolled.signing_key})
        )

    def __enter__(self) -> Self:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()
