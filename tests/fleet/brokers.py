"""The two configurations of a city's broker, as `broker init` writes them: one Mosquitto, or three
nodes of RabbitMQ 4; each can be killed and brought back.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from agent.broker.broker_check import Client, Target
from agent.broker.broker_folder import CHECK, BrokerFolder
from agent.broker.names import CHECK_CAMERA
from agent.errors import NetworkError
from agent.mqtt.events import Session
from tests.brokers.rabbitmq_cluster import Node, RabbitCluster
from tests.fleet.sizes import KHEPRI, MNESIA, RECIPIENT_QUEUE
from tests.support.city_broker import CityBroker
from tests.support.sealed import RECIPIENT

MOSQUITTO, RABBITMQ = "mosquitto", "rabbitmq"
Back = Callable[[], None]


class FleetBroker(Protocol):
    """`desk`: the broker's folder. `kills`: what can be killed; `kill` returns how it comes back.

    Starts as a context manager.
    """

    desk: BrokerFolder
    kills: tuple[str, ...]

    def kill(self, what: str) -> Back: ...

    def pids(self) -> list[int]: ...

    def __enter__(self) -> object: ...

    def __exit__(self, *_: object) -> None: ...


class SmallCity(CityBroker):
    """One Mosquitto."""

    kills = ("the broker",)

    def kill(self, what: str = "") -> Back:
        super().kill()
        return self.start

    def pids(self) -> list[int]:
        return [self.pid] if self.pid else []


class AvailableCity(RabbitCluster):
    """Three nodes of RabbitMQ 4: the one that leads the first receiver's queue, and another."""

    kills = ("a node", "the leader")

    def kill(self, what: str) -> Back:
        leader = self.leader(RECIPIENT_QUEUE.format(RECIPIENT))
        others = [node for node in self.nodes if node is not leader]
        node: Node = leader if what == "the leader" else others[-1]
        node.kill()
        return node.start

    def pids(self) -> list[int]:
        return [pid for node in self.nodes for pid in node.pids()]


def broker_in(folder: Path, name: str, store: str = MNESIA) -> FleetBroker:
    """One of the two, not started: certificates are signed first. `store`: RabbitMQ's."""
    if name == MOSQUITTO:
        return SmallCity(folder)
    return AvailableCity(folder, khepri=store == KHEPRI)


def unanswered(desk: BrokerFolder) -> list[str]:
    """The addresses that let nobody in yet."""
    return [address for address in desk.place.addresses if not _answers(desk, address)]


def _answers(desk: BrokerFolder, address: str) -> bool:
    ca, place = desk.folder / "ca.pem", desk.place
    target = Target(
        *(place.host, address, place.port, ca, ca.read_bytes(), desk.folder / CHECK),
        desk.pin_digests,
    )
    client = Client(target, CHECK_CAMERA, Session(CHECK_CAMERA, clean_start=True))
    try:
        client.connect()
        client.close()
    except NetworkError:
        return False
    return True
