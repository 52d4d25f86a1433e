"""ports.Publisher: one suite over the fake and over MQTT 5 with TLS to a real Mosquitto with an
ACL.
"""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from agent.errors import DestinationRefusedError, NetworkError
from tests.fakes.network import FakePublisher
from tests.support.city_network import DEVICE, RECIPIENT, broker, publisher, receipts_of, send
from tests.support.many_files import many_files
from tests.support.mosquitto import Mosquitto
from tests.support.pki import HOST, Authority

pytestmark = pytest.mark.broker

DENIED = "county-sheriff"
RECEIPTS = f"platewarden/1/receipts/{DEVICE}"
ACL = f"""
user {DEVICE}
topic write platewarden/1/reads/{RECIPIENT}
topic read {RECEIPTS}
topic write platewarden/1/checkpoints/{DEVICE}
topic read platewarden/1/collected/{DEVICE}
user other-side
topic readwrite platewarden/#
"""
SOON = datetime.now(UTC) + timedelta(days=2)


class Subscriber:
    """The other side of the real broker: what reached the recipients' topics, and a way to send
    receipts.
    """

    def __init__(self, ca: Authority, port: int) -> None:
        self.arrived: list[mqtt.MQTTMessage] = []
        credentials = ca.client("other-side")
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="other-side", protocol=mqtt.MQTTv5
        )
        self._client.tls_set(str(ca.pem), str(credentials.certificate), str(credentials.key))
        self._client.tls_insecure_set(True)  # a test's stand-in dials 127.0.0.1
        self.checkpoints: list[mqtt.MQTTMessage] = []
        self._client.on_message = lambda _c, _u, message: (
            self.checkpoints if "/checkpoints/" in message.topic else self.arrived
        ).append(message)
        ready: list[object] = []
        self._client.on_subscribe = lambda *_: ready.append(1)
        self._client.connect("127.0.0.1", port)
        self._client.subscribe([("platewarden/1/reads/#", 1), ("platewarden/1/checkpoints/#", 1)])
        self._client.loop_start()
        wait_until(lambda: ready)

    def send_receipt(self, payload: bytes, topic: str = RECEIPTS) -> None:
        self._client.publish(topic, payload, qos=1).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def wait_until(done, seconds: float = 5.0):
    end = time.monotonic() + seconds
    while not (result := done()):
        assert time.monotonic() < end, "nothing happened in time"
        time.sleep(0.02)
    return result


class FakeWorld:
    def __init__(self) -> None:
        self.publisher = FakePublisher((RECIPIENT, DENIED), denied=(DENIED,))

    def wires(self) -> list[tuple[str, bytes]]:
        return [(p.recipient, p.wire) for p in self.publisher.published]

    def receipt_arrives(self, payload: bytes) -> None:
        self.publisher.arrive(payload)

    def collector_says(self, payload: bytes) -> None:
        self.publisher.collector_says(payload)

    def checkpoints(self) -> list[bytes]:
        return self.publisher.posted

    def cut(self) -> None:
        self.publisher.reachable = False


class RealWorld:
    def __init__(self, folder) -> None:
        self.ca = ca = Authority(folder)
        server = ca.server(hosts=(HOST, "127.0.0.1"))
        self.broker = Mosquitto(folder / "broker", server, client_ca=ca, acl=ACL).start()
        self.listed = listed = broker(
            server, ("127.0.0.1", self.broker.port), recipients=frozenset({RECIPIENT, DENIED})
        )
        self.publisher = publisher(ca, listed, client=ca.client(DEVICE))
        self.subscriber = Subscriber(ca, self.broker.port)

    def wires(self) -> list[tuple[str, bytes]]:
        wait_until(lambda: self.subscriber.arrived)
        return [(m.topic.rsplit("/", 1)[1], m.payload) for m in self.subscriber.arrived]

    def receipt_arrives(self, payload: bytes) -> None:
        self.subscriber.send_receipt(payload)

    def collector_says(self, payload: bytes) -> None:
        self.subscriber.send_receipt(payload, f"platewarden/1/collected/{DEVICE}")

    def checkpoints(self) -> list[bytes]:
        wait_until(lambda: self.subscriber.checkpoints)
        return [message.payload for message in self.subscriber.checkpoints]

    def cut(self) -> None:
        self.broker.kill()

    def close(self) -> None:
        self.subscriber.close()
        self.publisher.close()
        self.broker.stop()


@pytest.fixture(params=["fake", "mosquitto"])
def world(request, tmp_path) -> Iterator[FakeWorld | RealWorld]:
    if request.param == "fake":
        yield FakeWorld()
        return
    real = RealWorld(tmp_path)
    yield real
    real.close()


def receipts(world, count: int = 1) -> list[bytes]:
    found: list[bytes] = []
    wait_until(lambda: found.extend(receipts_of(world.publisher)) or len(found) >= count)
    return found


def earlier_version_was_there(real) -> bool:
    """Connect and subscribe as it did, with a session of an hour, and leave: did the broker know
    one?
    """
    old = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=DEVICE, protocol=mqtt.MQTTv5)
    credentials = real.ca.client(DEVICE)
    old.tls_set(str(real.ca.pem), str(credentials.certificate), str(credentials.key))
    old.tls_insecure_set(True)  # a test's stand-in dials 127.0.0.1
    asked = Properties(PacketTypes.CONNECT)
    asked.SessionExpiryInterval = 3_600
    present: list[bool] = []
    subscribed: list[object] = []
    old.on_connect = lambda _c, _u, flags, *_: present.append(flags.session_present)
    old.on_subscribe = lambda *_: subscribed.append(1)
    old.connect("127.0.0.1", real.broker.port, clean_start=False, properties=asked)
    old.loop_start()
    wait_until(lambda: present)
    old.subscribe(RECEIPTS, qos=1)
    wait_until(lambda: subscribed)
    old.disconnect()
    old.loop_stop()
    return present[0]


def test_what_is_published_arrives_byte_for_byte(world) -> None:
    wire = bytes(range(256)) * 40
    send(world.publisher, RECIPIENT, "0" * 32, wire, SOON)
    assert world.wires() == [(RECIPIENT, wire)]


def test_it_publishes_however_many_files_this_process_has_open(world) -> None:
    with many_files():
        send(world.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
        assert world.wires() == [(RECIPIENT, b"wire")]
        world.receipt_arrives(b"receipt")
        assert receipts(world) == [b"receipt"]


def test_a_denied_topic_is_no_success(world) -> None:
    with pytest.raises(NetworkError, match=r"Not authorized \(135\)"):
        send(world.publisher, DENIED, "0" * 32, b"wire", SOON)


def test_a_recipient_that_no_broker_serves_is_refused(world) -> None:
    with pytest.raises(DestinationRefusedError) as refusal:
        send(world.publisher, "agency-from-elsewhere", "0" * 32, b"wire", SOON)
    assert refusal.value.reason == "no-broker-for-recipient"


def test_receipts_arrive_once_each_and_untouched(world) -> None:
    send(world.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
    world.receipt_arrives(b"first")
    world.receipt_arrives(b"\xff\x00second")
    assert receipts(world, 2) == [b"first", b"\xff\x00second"]
    assert receipts_of(world.publisher) == []


def test_whose_broker_has_a_new_connection_is_told_once(world) -> None:
    send(world.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
    assert set(world.publisher.joined()) == {RECIPIENT, DENIED}
    send(world.publisher, RECIPIENT, "1" * 32, b"wire", SOON)
    assert not world.publisher.joined()


def test_a_broker_out_of_reach_is_a_network_error(world) -> None:
    send(world.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
    world.cut()
    with pytest.raises(NetworkError):
        send(world.publisher, RECIPIENT, "1" * 32, b"wire", SOON)
    assert receipts_of(world.publisher) == []  # no error: receipts simply do not come


def test_a_checkpoint_goes_out_and_the_collectors_answer_comes(world) -> None:
    send(world.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
    assert world.publisher.post(b"checkpoint")
    said: list[object] = []
    wait_until(
        lambda: world.publisher.collect(0.05) or said.extend(world.publisher.post_answers()) or said
    )
    assert [one.refusal for one in said] == [""]
    assert world.checkpoints() == [b"checkpoint"]
    for _ in range(20):  # only now does it ask to hear the collector
        world.publisher.collect(0.02)
    world.collector_says(b"answer")
    answers: list[bytes] = []
    wait_until(
        lambda: (
            world.publisher.collect(0.05)
            or answers.extend(world.publisher.untrusted_answers())
            or answers
        )
    )
    assert answers == [b"answer"]
    assert receipts_of(world.publisher) == []


def test_a_checkpoint_goes_to_nobody_where_no_broker_is(world) -> None:
    world.cut()
    wait_until(lambda: receipts_of(world.publisher) or not world.publisher.post(b"checkpoint"))


class TestRealBrokerOnly:
    """What only MQTT has."""

    @pytest.fixture
    def real(self, tmp_path) -> Iterator[RealWorld]:
        world = RealWorld(tmp_path)
        yield world
        world.close()

    def test_message_properties(self, real) -> None:
        send(real.publisher, RECIPIENT, "0" * 32, b"wire", datetime.now(UTC) + timedelta(hours=1))
        real.wires()
        (message,) = real.subscriber.arrived
        assert message.qos == 1
        assert not message.retain
        assert message.properties.ContentType == "application/platewarden-sealed-read"
        assert 3500 <= message.properties.MessageExpiryInterval <= 3600

    def test_a_receipt_too_long_or_for_another_device_is_dropped_and_the_next_one_arrives(
        self, real
    ) -> None:
        send(real.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
        real.subscriber.send_receipt(b"x" * 4097)
        real.subscriber.send_receipt(b"x" * 100_000)
        real.subscriber.send_receipt(b"not ours", "platewarden/1/receipts/cam-8")
        real.subscriber.send_receipt(b"good")
        assert receipts(real) == [b"good"]

    def test_after_a_restart_of_the_broker_it_comes_back_by_itself(self, real) -> None:
        send(real.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
        real.broker.kill()
        with pytest.raises(NetworkError):
            send(real.publisher, RECIPIENT, "1" * 32, b"wire", SOON)
        real.broker.start()
        wait_until(
            lambda: not real.publisher.troubles() or (receipts_of(real.publisher) and False),
            10,
        )
        send(real.publisher, RECIPIENT, "1" * 32, b"wire", SOON)

    def test_whose_broker_is_back_is_told_again(self, real) -> None:
        send(real.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
        assert real.publisher.joined()
        real.broker.kill()
        real.broker.start()
        wait_until(lambda: real.publisher.collect(0.05) or real.publisher.joined(), 10)

    def test_it_leaves_no_session_and_ends_the_one_of_an_earlier_version(self, real) -> None:
        assert not earlier_version_was_there(real)
        real.subscriber.send_receipt(b"kept for it")
        send(real.publisher, RECIPIENT, "0" * 32, b"wire", SOON)
        real.subscriber.send_receipt(b"new")
        assert receipts(real) == [b"new"]
        real.publisher.close()
        assert not earlier_version_was_there(real)

    @pytest.mark.parametrize("days", [None, (-9, -1)], ids=["missing", "expired"])
    def test_without_a_good_client_certificate_it_is_a_network_error_that_says_where_to_look(
        self, real, days
    ) -> None:
        stranger = publisher(
            real.ca, real.listed, client=days and real.ca.client("late", days=days)
        )
        with pytest.raises(NetworkError, match=r"broker 'city-hall' at 127.0.0.1:.*device/tls.crt"):
            send(stranger, RECIPIENT, "0" * 32, b"wire", SOON)
        stranger.close()
