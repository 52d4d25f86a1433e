"""Receivers of one recipient on one PostgreSQL, and a city's own Mosquitto that binds client ids to
certificates, for tests.
"""

import shutil
from pathlib import Path
from typing import Self

from agent.broker.broker_folder import CAMERAS, RECIPIENTS
from agent.mqtt.client_request import make_request
from agent.receiver.receiver_settings import (
    BrokerSettings,
    ReceiverSettings,
    StoreSettings,
    template,
)
from agent.receiver.workplace import Workplace
from agent.verifying.receipt_check import ReceiptVerifier
from tests.support.city_broker import HOST, CityBroker
from tests.support.receiving import Camera, Enrolled, RunningReceiver, this_instant
from tests.support.sealed import DEVICE, RECIPIENT

COPIED = ("signing.key", "epochs", "key-list.jws", "root.json", "roster.jws", "broker-ca.pem")
"""What the second receiver has of the first (docs/guide/recipient.md)."""


class SharedReceivers:
    """Broker, camera and the folders of two receivers; a context manager. `folders`: theirs.

    `broker`: another than a Mosquitto of their own, not started yet.
    """

    def __init__(self, folder: Path, url: str, broker: CityBroker | None = None) -> None:
        self.broker = broker or CityBroker(folder / "city")
        self.ca = self.broker.desk.folder / "ca.pem"
        place = self.broker.desk.place
        dialled = BrokerSettings(
            host=HOST,
            addresses=list(place.addresses),
            port=place.port,
            ca="broker-ca.pem",
            client_certificate="tls.crt",
            client_key="tls.key",
        )
        self.enrolled = Enrolled(folder / "one", dialled)
        self.folders = [folder / "one", folder / "two"]
        shutil.copy(self.ca, folder / "one" / "broker-ca.pem")
        self.folders[1].mkdir(mode=0o700)
        for name in COPIED:
            copy = shutil.copytree if name == "epochs" else shutil.copy
            copy(folder / "one" / name, folder / "two" / name)
        for number, place in enumerate(self.folders, start=1):
            settings = ReceiverSettings(
                recipient=RECIPIENT,
                epochs_ahead_days=25,
                broker=dialled,
                receiver=str(number),
                makes_keys=number == 1,
                store=StoreSettings(postgresql=url),
            )
            (place / "receiver.toml").write_text(template(settings))
            self._certify(place, f"{RECIPIENT}.{number}")
        key, csr = make_request(DEVICE)
        self._camera_key = folder / "camera.key"
        self._camera_key.write_bytes(key)
        self._camera = self.broker.desk.sign(CAMERAS, DEVICE, csr, "csr", this_instant().utc).path

    def _certify(self, place: Path, name: str) -> None:
        csr = Workplace(place).request_certificate().read_bytes()
        signed = self.broker.desk.sign(RECIPIENTS, name, csr, "tls.csr", this_instant().utc)
        shutil.copy(signed.path, place / "tls.crt")

    def start(self, number: int) -> RunningReceiver:
        """Receiver 0 or 1."""
        return RunningReceiver(self.folders[number])

    def camera(self) -> Camera:
        return Camera(
            self.broker,
            self.ca,
            ReceiptVerifier({RECIPIENT: self.enrolled.signing_key}),
            certificate=(self._camera, self._camera_key),
        )

    def __enter__(self) -> Self:
        self.broker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.broker.stop()
