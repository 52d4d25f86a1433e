"""agent/mqtt's socket and driver: one suite over a fake broker and a real Mosquitto."""

import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from agent.errors import DestinationRefusedError, NetworkError
from agent.mqtt import pinned_tls
from agent.mqtt.driver import Driver
from agent.mqtt.events import (
    SESSION_TAKEN_OVER,
    Acknowledged,
    Connected,
    Disconnected,
    Event,
    Properties,
    Received,
    Session,
    Subscribed,
)
from agent.mqtt.pinned_tls import Peer, context_for
from tests.fakes.broker import FakeBroker
from tests.support.mosquitto import ADDRESS, Mosquitto
from tests.support.pki import HOST, Authority

pytestmark = pytest.mark.broker

TOPIC, DENIED = "platewarden/1/reads/exampleville-pd", "platewarden/1/reads/county-sheriff"
SESSION = Session(
    "platewarden-cam-7",
    expiry_s=600,
    by_hand=True,
    max_in_flight=20,
    max_queued=100,
    connect_timeout_s=3,
    answer_timeout_s=3,
)
MAX_PACKET_BYTES = 70_000
WAIT_S = 5.0
ACL = f"topic read #\ntopic write {TOPIC}\n"
"""Everything may be read, one topic may be written."""


def peer(server, **other) -> Peer:
    named = {"what": "broker 'city-hall'", "ca": "ca.pem", "advice": "look at the policy"}
    return Peer(**{"host": HOST, "pins": frozenset({server.pin}), **named, **other})


class World:
    """A broker, and drivers for it. `heard`: has anybody said CONNECT?"""

    def __init__(self, folder) -> None:
        self.ca = Authority(folder / "pki")
        self.server = self.ca.server()
        self._drivers: list[Driver] = []

    def driver(self, session: Session = SESSION, ca: Authority | None = None, **who) -> Driver:
        made = Driver(
            context_for(
                peer(self.server, **who), (ca or self.ca).pem.read_bytes(), MAX_PACKET_BYTES
            ),
            session,
        )
        self._drivers.append(made)
        return made

    def dial(self, driver: Driver) -> Connected:
        driver.connect(ADDRESS, self.port, "broker 'city-hall'")
        return driver.until(Connected, WAIT_S, "connect", lambda _event: None)

    def connected(self, session: Session = SESSION) -> Driver:
        driver = self.driver(session)
        self.dial(driver)
        return driver

    def subscribed(self, topic: str = TOPIC, session: Session = SESSION) -> Driver:
        driver = self.connected(session)
        driver.subscribe(topic)
        assert driver.until(Subscribed, WAIT_S, "subscribe", lambda _event: None).topic == topic
        return driver

    def close(self) -> None:
        for driver in self._drivers:
            driver.close()


class FakeWorld(World):
    def __init__(self, folder, **how) -> None:
        super().__init__(folder)
        self.broker = FakeBroker(self.server, denied=(DENIED,), **how)
        self.broker.__enter__()
        self.port = self.broker.port

    def send(self, payload: bytes) -> None:
        self.broker.send(TOPIC, payload)

    def heard(self) -> bool:
        return bool(self.broker.heard)

    def close(self) -> None:
        super().close()
        self.broker.__exit__()


class RealWorld(World):
    def __init__(self, folder, *options: str) -> None:
        super().__init__(folder)
        self.broker = Mosquitto(folder / "broker", self.server, acl=ACL, options=options).start()
        self.port = self.broker.port

    def send(self, payload: bytes) -> None:
        sender = self.connected(Session("other-side", clean_start=True))
        sender.publish(TOPIC, payload)
        sender.until(Acknowledged, WAIT_S, "take a message", lambda _event: None)
        sender.close()

    def heard(self) -> bool:
        return "New client connected" in self.broker.log()

    def close(self) -> None:
        super().close()
        self.broker.stop()


@pytest.fixture(params=[FakeWorld, RealWorld], ids=["fake", "mosquitto"])
def world(request, tmp_path) -> Iterator[World]:
    made = request.param(tmp_path)
    yield made
    made.close()


@pytest.fixture
def make(tmp_path) -> Iterator[Callable[..., World]]:
    """A world with options of its own."""
    worlds = []

    def made(kind: type[World], *options: str, **how: object) -> World:
        worlds.append(kind(tmp_path, *options, **how))
        return worlds[-1]

    yield made
    for world in worlds:
        world.close()


@pytest.fixture
def fake(make) -> FakeWorld:
    return make(FakeWorld, says="ask the city clerk")


def events_of(driver: Driver, number: int, kind: object = Event) -> list[Event]:
    """So many of a kind, in order."""
    found, end_s = [], time.monotonic() + WAIT_S
    while len(found) < number:
        assert time.monotonic() < end_s, found
        found += [event for event in driver.loop(0.1) if isinstance(event, kind)]
    return found


class TestWhoAnswers:
    def test_the_right_name_key_and_ca(self, world) -> None:
        granted = world.dial(world.driver())
        assert not granted.session_present
        assert world.heard()

    def test_without_pins_the_ca_decides(self, world) -> None:
        world.dial(world.driver(pins=None))

    @pytest.mark.parametrize(
        ("who", "reason"),
        [
            ({"pins": frozenset({bytes(32)})}, "spki-pin-mismatch"),
            ({"pins": frozenset()}, "spki-pin-mismatch"),
            ({"host": "mqtt.elsewhere.example"}, "certificate-invalid"),
            ({"host": "mqtt.elsewhere.example", "pins": None}, "certificate-invalid"),
        ],
        ids=["another key", "no key at all", "another name", "another name, without pins"],
    )
    def test_anybody_else_is_refused_before_connect(self, world, who, reason) -> None:
        driver = world.driver(**who)
        with pytest.raises(DestinationRefusedError, match="city-hall") as refusal:
            driver.connect(ADDRESS, world.port, "broker 'city-hall'")
        assert refusal.value.reason == reason
        assert not driver.connected
        time.sleep(0.1)
        assert not world.heard()

    @pytest.mark.parametrize("pinned", [True, False])
    def test_another_ca_is_refused_before_connect(self, world, tmp_path, pinned) -> None:
        who = {} if pinned else {"pins": None}
        driver = world.driver(ca=Authority(tmp_path / "other"), **who)
        with pytest.raises(DestinationRefusedError, match="look at the policy") as refusal:
            driver.connect(ADDRESS, world.port, "broker 'city-hall'")
        assert refusal.value.reason == "certificate-invalid"
        time.sleep(0.1)
        assert not world.heard()

    def test_nobody_there_is_a_network_error_that_names_the_broker(self, world) -> None:
        with socket.socket() as free:
            free.bind((ADDRESS, 0))
            with pytest.raises(NetworkError, match="broker 'city-hall': cannot connect"):
                world.driver().connect(ADDRESS, free.getsockname()[1], "broker 'city-hall'")

    def test_a_listener_that_never_speaks_tls_is_left_in_time(self, world) -> None:
        with socket.create_server((ADDRESS, 0)) as silent:
            driver = world.driver(replace(SESSION, connect_timeout_s=0.5))
            began_s = time.monotonic()
            with pytest.raises(NetworkError, match="cannot connect: timed out"):
                driver.connect(ADDRESS, silent.getsockname()[1], "broker 'city-hall'")
            assert time.monotonic() - began_s < 3


def test_a_small_last_record_waits_for_nothing(world) -> None:
    """TCP_NODELAY: 44 ms a read without it."""
    sock = world.connected()._socket
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


class TestPublishing:
    def test_what_is_published_is_acknowledged(self, world) -> None:
        driver = world.connected()
        ticket = driver.publish(TOPIC, bytes(23_000))
        (answer,) = events_of(driver, 1)
        assert isinstance(answer, Acknowledged)
        assert answer.ticket == ticket
        assert answer.reason in {0, 16}  # 16: nobody has subscribed
        assert not answer.refused
        assert driver.unanswered == 0

    def test_twenty_in_flight_are_answered_one_by_one(self, world) -> None:
        driver = world.connected()
        tickets = [
            driver.publish(DENIED if n % 7 == 3 else TOPIC, bytes(20_000)) for n in range(20)
        ]
        answers = events_of(driver, 20, Acknowledged)
        assert sorted(answer.ticket for answer in answers) == tickets
        refused = {answer.ticket for answer in answers if answer.refused}
        assert refused == {tickets[3], tickets[10], tickets[17]}  # theirs alone
        assert driver.connected

    def test_a_refusal_tells_its_reason(self, world) -> None:
        driver = world.connected()
        driver.publish(DENIED, b"wire")
        (answer,) = events_of(driver, 1, Acknowledged)
        assert answer.refused
        assert answer.reason == 135
        assert answer.words.startswith("Not authorized (135)")
        assert driver.connected

    def test_a_refusal_tells_the_brokers_own_words(self, fake) -> None:
        fake.broker.says = "ask the city clerk\x1b[2J\n" + "x" * 500
        driver = fake.connected()
        driver.publish(DENIED, b"wire")
        (answer,) = events_of(driver, 1, Acknowledged)
        assert answer.words.startswith("Not authorized (135): ask the city clerk?[2J?xx")
        assert len(answer.words) < 250

    def test_properties_arrive(self, fake) -> None:
        driver = fake.connected()
        driver.publish(TOPIC, b"wire", Properties("text/plain", 3600, (("k", "v"), ("k", "w"))))
        events_of(driver, 1, Acknowledged)
        ((topic, properties, payload),) = fake.broker.published
        assert (topic, payload) == (TOPIC, b"wire")
        assert b"\x03\x00\x0atext/plain" in properties
        assert b"\x02\x00\x00\x0e\x10" in properties
        assert properties.count(b"\x26\x00\x01k\x00\x01") == 2

    def test_the_time_that_it_waited_is_taken_off_its_life(self, fake, monkeypatch) -> None:
        driver = fake.driver()
        driver.publish(TOPIC, b"wire", Properties(expires_in_s=3600))
        now_s = time.monotonic()
        monkeypatch.setattr("agent.mqtt.driver.time.monotonic", lambda: now_s + 600)
        fake.dial(driver)
        events_of(driver, 1, Acknowledged)
        assert fake.broker.published[0][1] == b"\x02" + (3000).to_bytes(4, "big")

    def test_what_cannot_be_sent_is_answered_and_raises_nothing(self, world) -> None:
        driver = world.connected()
        ticket = driver.publish("no/wildcards/#", b"wire")
        answer, over = driver.loop(0.1)
        assert (answer.ticket, answer.refused) == (ticket, True)
        assert isinstance(over, Disconnected)
        assert driver.unanswered == 0

    def test_no_more_wait_than_may(self, world) -> None:
        driver = world.driver(replace(SESSION, max_queued=2))
        driver.publish(TOPIC, b"1")
        driver.publish(TOPIC, b"2")
        with pytest.raises(NetworkError, match="2 messages wait"):
            driver.publish(TOPIC, b"3")

    def test_what_waits_goes_out_on_the_next_connection(self, world) -> None:
        driver = world.driver()
        first = driver.publish(TOPIC, b"wire")
        world.dial(driver)
        assert [answer.ticket for answer in events_of(driver, 1, Acknowledged)] == [first]
        driver.close()
        second = driver.publish(TOPIC, b"wire")
        world.dial(driver)
        assert [answer.ticket for answer in events_of(driver, 1, Acknowledged)] == [second]

    def test_what_was_in_flight_goes_out_again_in_order(self, fake) -> None:
        fake.broker.acknowledge = False
        driver = fake.connected()
        tickets = [driver.publish(TOPIC, b"%d" % n) for n in range(3)]
        end_s = time.monotonic() + WAIT_S
        while len(fake.broker.published) < 3 and time.monotonic() < end_s:
            driver.loop(0.05)
        driver.close()
        fake.broker.acknowledge = True
        fake.dial(driver)
        assert [a.ticket for a in events_of(driver, 3, Acknowledged)] == tickets
        assert [payload for _, _, payload in fake.broker.published] == [b"0", b"1", b"2"] * 2


class TestTheBrokersBounds:
    def test_grants_are_values(self, make) -> None:
        fake = make(FakeWorld, session_expiry_s=300, receive_maximum=7, max_packet_bytes=30_000)
        assert fake.dial(fake.driver()) == Connected(False, 300, 30_000, 7)

    def test_what_a_broker_does_not_limit(self, fake) -> None:
        assert fake.dial(fake.driver()) == Connected(False, 600, 268_435_460, 65_535)

    def test_never_more_in_flight_than_the_broker_takes(self, make) -> None:
        fake = make(FakeWorld, receive_maximum=3)
        fake.broker.acknowledge = False
        driver = fake.connected()
        for n in range(10):
            driver.publish(TOPIC, b"%d" % n)
        end_s = time.monotonic() + 0.5
        while time.monotonic() < end_s:
            driver.loop(0.05)
        assert len(fake.broker.published) == 3
        assert driver.unanswered == 10

    @pytest.mark.parametrize("kind", [FakeWorld, RealWorld])
    def test_a_message_beyond_the_maximum_packet_size_is_not_sent(self, make, kind) -> None:
        world = (
            make(kind, max_packet_bytes=20_000)
            if kind is FakeWorld
            else make(kind, "max_packet_size 20000")
        )
        driver = world.connected()
        room = 20_000 - len(TOPIC) - 9  # header 4, topic's length 2, packet id 2, properties 1
        big, fits = driver.publish(TOPIC, bytes(room + 1)), driver.publish(TOPIC, bytes(room))
        answers = {answer.ticket: answer for answer in events_of(driver, 2, Acknowledged)}
        assert answers[big].reason == 149
        assert "20001 bytes, and the broker takes 20000" in answers[big].words
        assert not answers[fits].refused
        assert driver.connected

    def test_puback_149_is_a_refusal_of_one_message(self, make) -> None:
        """Mosquitto's `message_size_limit`: no legal code there, and paho ends the connection."""
        world = make(RealWorld, "message_size_limit 20000")
        driver = world.connected()
        big, small = driver.publish(TOPIC, bytes(23_000)), driver.publish(TOPIC, bytes(100))
        answers = {answer.ticket: answer for answer in events_of(driver, 2, Acknowledged)}
        assert answers[big].words == "Packet too large (149)"
        assert not answers[small].refused
        assert driver.connected


class TestReceiving:
    def test_a_message_arrives_and_is_acknowledged(self, world) -> None:
        driver = world.subscribed()
        world.send(b"wire")
        (message,) = events_of(driver, 1, Received)
        assert (message.topic, message.untrusted_payload, message.qos) == (TOPIC, b"wire", 1)
        assert message.packet_bytes == 2 + 2 + len(TOPIC) + 2 + 1 + 4
        driver.acknowledge(message)
        driver.loop(0.1)
        driver.close()
        assert world.dial(driver).session_present
        time.sleep(0.2)
        assert driver.loop(0.2) == ()

    def test_what_is_not_acknowledged_comes_again(self, world) -> None:
        driver = world.subscribed()
        world.send(b"wire")
        (first,) = events_of(driver, 1, Received)
        driver.close()
        world.dial(driver)
        driver.acknowledge(first)  # of the connection before: nothing happens
        (again,) = events_of(driver, 1, Received)
        assert again.untrusted_payload == b"wire"
        assert again.connection != first.connection
        driver.close()
        world.dial(driver)
        events_of(driver, 1, Received)  # and again

    def test_what_is_acknowledged_weighs_no_more(self, world) -> None:
        driver = world.subscribed()
        for payload in (b"wire", bytes(23_000)):
            world.send(payload)
        messages = events_of(driver, 2, Received)
        inflow = driver._socket.inflow
        assert inflow.unanswered_bytes == sum(message.packet_bytes for message in messages) > 23_000
        for message in messages:
            driver.acknowledge(message)
        assert inflow.unanswered_bytes == 0

    @pytest.mark.parametrize("stuck", [False, True])
    def test_acknowledged_on_arrival_wears_no_connection_out_unless_the_broker_reads_no_answers(
        self, world, monkeypatch, stuck
    ) -> None:
        """Mitigates against: a broker that never reads, for which paho would keep every answer."""
        monkeypatch.setattr(pinned_tls, "MAX_UNANSWERED_BYTES", 2_000)
        driver = world.subscribed(session=replace(SESSION, by_hand=False))
        if stuck:
            monkeypatch.setattr(driver._client, "want_write", lambda: True)
        found: list[Event] = []
        for _ in range(8):
            world.send(bytes(500))
            found += events_of(driver, 1, Received | Disconnected)
            if isinstance(found[-1], Disconnected):
                break
        ended = isinstance(found[-1], Disconnected) and found[-1].words
        assert (len(found), ended) == ((5, "the connection is worn out") if stuck else (8, False))

    def test_acknowledged_on_arrival_where_nobody_does_it_by_hand(self, world) -> None:
        driver = world.subscribed(session=replace(SESSION, by_hand=False))
        world.send(b"wire")
        events_of(driver, 1, Received)
        driver.loop(0.1)
        driver.close()
        world.dial(driver)
        assert driver.loop(0.3) == ()


class TestTheEnd:
    def test_a_broker_that_is_gone(self, world) -> None:
        driver = world.connected()
        world.broker.kill() if isinstance(world, RealWorld) else world.broker.stopping.set()
        (over,) = events_of(driver, 1)
        assert isinstance(over, Disconnected)
        assert over.reason is None
        assert not driver.connected
        with pytest.raises(NetworkError, match="not connected"):
            driver.loop(0.0)

    @pytest.mark.parametrize("reason", [SESSION_TAKEN_OVER, 0x8B])
    def test_its_farewell_tells_reason_and_words(self, fake, reason) -> None:
        fake.broker.farewell = (reason, "maintenance until noon")
        driver = fake.connected()
        ticket = driver.publish(TOPIC, b"wire")
        (over,) = events_of(driver, 1)
        assert over.reason == reason
        assert over.words.endswith(f"({reason}): maintenance until noon")
        fake.broker.farewell = None
        fake.dial(driver)
        assert events_of(driver, 1, Acknowledged)[0].ticket == ticket

    def test_until_raises_what_went_wrong(self, fake) -> None:
        fake.broker.farewell = (0x97, "the disk is full")
        driver = fake.connected()
        driver.publish(TOPIC, b"wire")
        with pytest.raises(NetworkError, match=r"did not store it: Quota exceeded \(151\): the d"):
            driver.until(Acknowledged, WAIT_S, "store it", lambda _event: None)

    def test_until_is_bounded(self, fake) -> None:
        fake.broker.acknowledge = False
        driver = fake.connected()
        driver.publish(TOPIC, b"wire")
        with pytest.raises(NetworkError, match=r"did not store it within 0\.3 s"):
            driver.until(Acknowledged, 0.3, "store it", lambda _event: None)
        assert not driver.connected
