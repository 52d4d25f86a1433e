"""Whoever else has a certificate of the same city tries to take a camera's and a recipient's part
on a broker: to read, to receipt, to publish for them, to throw them off. One suite for each broker.
"""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from agent.broker.broker_check import Client, Target
from agent.broker.broker_folder import CAMERAS, CHECK, RECIPIENTS, BrokerFolder
from agent.broker.names import CHECK_CAMERA, CHECK_RECIPIENT, CHECK_STRANGER
from agent.errors import NetworkError
from agent.mqtt.client_request import make_request
from agent.mqtt.events import Session
from agent.mqtt.topics import (
    checkpoints_topic,
    collected_topic,
    health_topic,
    reads_topic,
    receipts_topic,
)

TRIES = 20
CAMERA, RECIPIENT = "oak-street-1", "county-sheriff"
READS, RECEIPTS = reads_topic(CHECK_RECIPIENT), receipts_topic(CHECK_CAMERA)
TOLD = health_topic(CHECK_CAMERA), checkpoints_topic(CHECK_CAMERA), collected_topic(CHECK_CAMERA)
FILTERS = ("#", READS, RECEIPTS, receipts_topic("+"), f"$share/two/{READS}", "platewarden/1/+/+")
FORBIDDEN = {
    CHECK_STRANGER: (READS, RECEIPTS, *TOLD),
    CAMERA: (RECEIPTS, *TOLD),
    RECIPIENT: (READS, *TOLD),
}
"""By holder, where it must not write. Every camera writes to a recipient and every recipient
answers cameras: there the signature tells who it was.
"""


@dataclass(frozen=True, slots=True)
class Holders:
    """The certificates of all. `targets`: one for each of the broker's addresses."""

    certificates: Path
    targets: Sequence[Target]

    def made(self, name: str, number: int = 0, **session: object) -> Client:
        """Not connected yet. `number`: of the address that it will dial."""
        asked = {"client_id": name, "clean_start": True} | session
        return Client(self.targets[number % len(self.targets)], name, Session(**asked))


def holders(desk: BrokerFolder, folder: Path, host: str) -> Holders:
    """Sign a second camera and a second recipient: before the broker starts."""
    shutil.copytree(desk.folder / CHECK, folder)
    for kind, name in ((CAMERAS, CAMERA), (RECIPIENTS, RECIPIENT)):
        key, csr = make_request(name)
        (folder / f"{name}.key").write_bytes(key)
        shutil.copy(desk.sign(kind, name, csr, "csr", datetime.now(UTC)).path, folder)
    ca = desk.folder / "ca.pem"
    targets = [
        Target(host, address, desk.place.port, ca, ca.read_bytes(), folder, desk.pin_digests)
        for address in desk.place.addresses
    ]
    return Holders(folder, targets)


def twenty_tries_in_vain(city: Holders) -> None:
    """Each try: publishes, takes a place, listens; then both victims are there, and a read and a
    receipt went through between them, and nothing else.
    """
    recipient = city.made(CHECK_RECIPIENT, 0, expiry_s=60)
    recipient.connect()
    recipient.subscribe(READS)
    camera = city.made(CHECK_CAMERA, 1, expiry_s=60)
    camera.connect()
    camera.subscribe(RECEIPTS)
    for number in range(TRIES):
        turn, which = divmod(number, len(FORBIDDEN))
        name = tuple(FORBIDDEN)[which]
        _publishes(city, name, turn, number)
        listening = _takes_a_place(city, name, number)
        _refused(lambda one=listening, turn=turn: one.subscribe(FILTERS[turn % len(FILTERS)]))
        payload = b"%d" % number
        assert not camera.publish(READS, payload).refused
        assert not recipient.publish(RECEIPTS, payload).refused
        assert recipient.payloads(number + 1)[number:] == [payload], (name, number)
        assert camera.payloads(number + 1)[number:] == [payload], (name, number)
        assert _came(listening) == [], (name, number)
        listening.close()
    for one in (recipient, camera):
        assert one.alive(0.1)
        one.close()


def _takes_a_place(city: Holders, name: str, number: int) -> Client:
    """With its own certificate and another's client id: let in as itself, or refused, and then it
    comes under its own. Whom a broker does not let in at all has tried, too.
    """
    client_id = (CHECK_RECIPIENT, CHECK_CAMERA)[number // len(FORBIDDEN) % 2]
    began = {"clean_start": number % 2 == 0, "expiry_s": 60}
    made = city.made(name, number, client_id=client_id, **began)
    if _refused(made.connect):
        made = city.made(name, number + 1)
        _joins(made, name)
    return made


def _publishes(city: Holders, name: str, turn: int, number: int) -> None:
    topic = FORBIDDEN[name][turn % len(FORBIDDEN[name])]
    client = city.made(name, number + 1)
    answers: list[bool] = []
    if _joins(client, name):
        gone = _refused(lambda: answers.append(client.publish(topic, b"forged").refused))
        assert gone or answers == [True], (name, topic)
    client.close()


def _joins(client: Client, name: str) -> bool:
    """Under its own name: only who has no rights at all may be shut out, and RabbitMQ does so."""
    refused = _refused(client.connect)
    assert not refused or name == CHECK_STRANGER, name
    return not refused


def _refused(act: Callable[[], object]) -> bool:
    try:
        act()
    except NetworkError:
        return True
    return False


def _came(client: Client) -> list[bytes]:
    try:
        return client.payloads(1, 0.1)
    except NetworkError:  # the broker has hung up: nothing came before, and nothing will
        return [one.untrusted_payload for one in client.came]
