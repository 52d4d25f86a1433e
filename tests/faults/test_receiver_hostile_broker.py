"""A broker with the right name and key that breaks the protocol: the receiver ends or tries again,
in bounded memory, and never hangs unseen.
"""

import random
import resource
import time

import pytest

from agent.errors import NetworkError
from agent.mqtt.events import Received
from agent.receiver.connection import Connection, Lost
from agent.receiver.receiver_settings import BrokerSettings
from tests.support.hostile import CONNACK, HostileBroker, accept, idle, length, publish
from tests.support.mosquitto import ADDRESS
from tests.support.pki import HOST
from tests.support.sealed import RECIPIENT

TOPIC = f"platewarden/1/reads/{RECIPIENT}"
NOISE = random.Random(11)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    monkeypatch.setattr("agent.receiver.connection.SUBSCRIBE_TIMEOUT_S", 2.0)
    monkeypatch.setattr("agent.receiver.connection.FLUSH_TIMEOUT_S", 0.5)


def connection(ca, hostile):
    return Connection(
        ca.folder,
        BrokerSettings(host=HOST, address=ADDRESS, port=hostile.port, ca=ca.pem),
        RECIPIENT,
    )


def noise(client, hostile):
    hostile.hear(client)
    client.sendall(NOISE.randbytes(4000))
    idle(client, hostile)


def refusing(client, hostile):
    hostile.hear(client)
    client.sendall(bytes([0x20, 3, 0, 0x87, 0]))
    idle(client, hostile)


def no_suback(client, hostile):
    hostile.hear(client)
    client.sendall(CONNACK)
    idle(client, hostile)


def empty_suback(client, hostile):
    hostile.hear(client)
    client.sendall(CONNACK)
    subscribe = hostile.hear(client)
    client.sendall(bytes([0x90, 3]) + subscribe[2:4] + bytes([0]))
    idle(client, hostile)


def flood_before_suback(client, hostile):
    hostile.hear(client)
    client.sendall(CONNACK)
    while not hostile.stopping.is_set():
        client.sendall(publish(TOPIC, bytes(50)))


@pytest.mark.parametrize(
    "behave",
    [noise, refusing, idle, no_suback, empty_suback, flood_before_suback],
    ids=lambda behave: behave.__name__,
)
def test_it_does_not_begin(ca, server, behave):
    with HostileBroker(server, behave) as hostile:
        start = time.monotonic()
        with pytest.raises(NetworkError, match=ADDRESS):
            connection(ca, hostile).open()
        assert time.monotonic() - start < 20


def odd_packets(client, hostile):
    accept(client, hostile)
    client.sendall(publish(TOPIC, b"first"))
    client.sendall(bytes([0x32, 3, 0, 9, 65]))  # a topic longer than its packet
    idle(client, hostile)


def hang_up(client, hostile):
    accept(client, hostile)
    client.sendall(publish(TOPIC, b"first"))
    hostile.hear(client)


def huge_packet(client, hostile):
    accept(client, hostile)
    client.sendall(publish(TOPIC, b"first"))
    client.sendall(bytes([0x32]) + length(268_435_455))
    while not hostile.stopping.is_set():
        client.sendall(bytes(65_536))


@pytest.mark.parametrize(
    "behave", [odd_packets, hang_up, huge_packet], ids=lambda behave: behave.__name__
)
def test_what_came_before_is_kept_the_rest_ends_the_connection_and_it_tries_again(
    ca, server, behave
):
    with HostileBroker(server, behave) as hostile:
        link = connection(ca, hostile)
        memory_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        seen = []
        link.open()
        end_s = time.monotonic() + 30
        while hostile.clients < 2 and time.monotonic() < end_s:
            if (event := link.next(0.2)) is not None:
                seen.append(event)
        link.close()
        assert hostile.clients >= 2
        assert isinstance(seen[0], Received)
        assert seen[0].untrusted_payload == b"first"
        assert any(isinstance(event, Lost) for event in seen)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory_kb < 60_000


def test_receipts_that_cannot_go_out_raise_nothing_and_go_out_on_the_next_connection(ca, server):
    def once(client, hostile):
        accept(client, hostile)
        while hostile.clients > 1 and not hostile.stopping.is_set():
            hostile.hear(client)

    with HostileBroker(server, once) as hostile:
        link, end_s = connection(ca, hostile), time.monotonic() + 30
        link.open()
        while not isinstance(link.next(0.2), Lost):
            assert time.monotonic() < end_s
        for receipt in (b"the first one", b"the second one"):
            link.publish_receipt("cam-7", receipt)
        while b"the first one" not in hostile.heard or b"the second one" not in hostile.heard:
            assert time.monotonic() < end_s
            link.next(0.2)
        link.close()
