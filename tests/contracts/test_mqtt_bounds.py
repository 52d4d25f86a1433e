"""What the one socket bounds, for both who use it: deliver, and a recipient's receiver.

A broker with the right name and key that never ends what it began.
"""

import resource
import time
from collections.abc import Callable

import pytest

from agent.mqtt.events import Received
from agent.receiver.connection import Connection
from agent.receiver.receiver_settings import BrokerSettings
from tests.support.city_network import DEVICE, RECIPIENT, broker, publisher, receipts_of
from tests.support.hostile import HostileBroker, accept, length, publish
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST

pytestmark = pytest.mark.broker

Turn = Callable[[], object]
WAIT_S = 15.0


class Deliver:
    TOPIC = f"platewarden/1/receipts/{DEVICE}"

    def __init__(self, ca, server, port) -> None:
        self._publisher = publisher(ca, broker(server, (ADDRESS, port)))

    def turn(self) -> None:
        receipts_of(self._publisher)
        time.sleep(0.05)

    def close(self) -> None:
        self._publisher.close()


class Receiver:
    TOPIC = f"platewarden/1/reads/{RECIPIENT}"

    def __init__(self, ca, _server, port) -> None:
        settings = BrokerSettings(host=HOST, address=ADDRESS, port=port, ca=ca.pem)
        self._connection = Connection(ca.folder, settings, RECIPIENT)
        self._connection.open()

    def turn(self, *, acknowledge: bool = False) -> None:
        event = self._connection.next(0.05)
        if acknowledge and isinstance(event, Received):
            self._connection.acknowledge(event)

    def close(self) -> None:
        self._connection.close()


def drip(client, hostile, topic) -> None:
    """One byte after another of a packet that is never whole."""
    client.sendall(bytes([0x32]) + length(4000) + len(topic).to_bytes(2, "big") + topic.encode())
    while not hostile.stopping.wait(0.05):
        client.sendall(b"x")


def endless(client, hostile, _topic) -> None:
    client.sendall(bytes([0x32]) + length(268_435_455))
    while not hostile.stopping.is_set():
        client.sendall(bytes(65_536))


def never_released(client, hostile, topic) -> None:
    """QoS 2: paho keeps each message until the broker releases it."""
    mid = 0
    while not hostile.stopping.is_set():
        mid = mid % 65_535 + 1
        client.sendall(publish(topic, bytes(3000), mid, qos=2))


@pytest.mark.parametrize("user", [Deliver, Receiver])
@pytest.mark.parametrize("behave", [drip, endless, never_released], ids=lambda b: b.__name__)
def test_what_never_ends_is_ended(ca, server, monkeypatch, user, behave) -> None:
    monkeypatch.setattr("agent.mqtt.driver.PACKET_TIMEOUT_S", 0.5)
    if behave is never_released:
        monkeypatch.setattr("agent.mqtt.pinned_tls.MAX_UNANSWERED_BYTES", 200_000)

    def begin(client, hostile) -> None:
        accept(client, hostile)
        client.settimeout(5)  # it is the other side that must end this
        behave(client, hostile, user.TOPIC)

    with HostileBroker(server, begin) as hostile:
        memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        one, end_s = user(ca, server, hostile.port), time.monotonic() + WAIT_S
        while hostile.clients < 2:
            assert time.monotonic() < end_s, "the first connection is still there"
            one.turn()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 60_000
        one.close()


def test_a_receiver_that_acknowledges_keeps_its_connection_for_ever(
    ca, server, monkeypatch
) -> None:
    """The bound is on what nobody has answered: a long backlog is no attack."""
    monkeypatch.setattr("agent.mqtt.pinned_tls.MAX_UNANSWERED_BYTES", 100_000)
    count = 60

    def backlog(client, hostile) -> None:
        accept(client, hostile)
        for number in range(1, count + 1):
            client.sendall(publish(Receiver.TOPIC, bytes(20_000), number))
            while b"\x40\x02" + number.to_bytes(2, "big") not in hostile.heard:
                hostile.hear(client)
                if hostile.stopping.is_set():
                    return
        hostile.stopping.wait(30)

    with HostileBroker(server, backlog) as hostile:
        one, end_s = Receiver(ca, server, hostile.port), time.monotonic() + WAIT_S
        while b"\x40\x02" + count.to_bytes(2, "big") not in hostile.heard:
            assert time.monotonic() < end_s
            one.turn(acknowledge=True)
        assert hostile.clients == 1
        one.close()
