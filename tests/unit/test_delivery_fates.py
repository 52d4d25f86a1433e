"""Delivery by read, over brokers in memory that deny, limit sizes and hang up at random: what any
broker permits is delivered, nothing keeps anything else waiting, and each read waits for itself.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.core.policy.policy import Broker
from agent.delivery import Route
from agent.errors import NetworkError
from agent.mqtt.events import NOT_AUTHORIZED, PACKET_TOO_LARGE, SESSION_TAKEN_OVER
from agent.network.broker_link import Answer, Flight
from agent.network.publisher import MqttPublisher
from tests.fakes.verifying import FakeReceiptVerifier
from tests.support.delivery_world import POLICE, SHERIFF, World

PASS_S = 0.25


@dataclass
class Behaviour:
    """Of one broker.

    `largest`: in bytes; `says`: whether what is larger gets PUBACK 149, or ends the connection with
    DISCONNECT 149 or without a word. `poison`: reads that end the connection. `hangs_up`: so many
    times it ends a connection for no reason.
    """

    denied: frozenset = frozenset()
    largest: int = 1 << 20
    says: str = "puback"
    poison: frozenset = frozenset()
    hangs_up: int = 0
    window: int = 20
    taken_over: bool = False


class Link:
    """Stands for network/broker_link.py: answers at the next `poll`, in order."""

    def __init__(self, broker, network) -> None:
        self.broker, self._network = broker, network
        self.behaviour = network.behaviours[broker.id]
        self.connected, self.ended_by, self.dropped_receipts = False, None, 0
        self.socket, self.wants_write, self.packet_limit = None, False, None
        self._flights: dict[str, Flight] = {}
        self._recipients: dict[str, str] = {}
        self._answers: list[Answer] = []

    @property
    def room(self) -> int:
        return self.behaviour.window - len(self._flights)

    @property
    def in_flight(self) -> int:
        return len(self._flights)

    @property
    def hurried(self) -> bool:
        return bool(self._flights)

    def connect(self, _address, _port) -> None:
        self._network.dials[self.broker.id].append(self._network.clock.elapsed_s)
        self.connected, self.ended_by = True, None

    def take_renewed(self) -> bool:
        return False

    def publish(self, recipient, read_id, wire, _expires_in_s) -> None:
        size = self._network.sizes.get(read_id, len(wire))
        self._flights[read_id] = Flight(read_id, size, self._network.clock.elapsed_s)
        self._recipients[read_id] = recipient
        self._network.sent[read_id].append((self._network.clock.elapsed_s, self.broker.id))
        assert len(self._flights) <= self.behaviour.window

    def poll(self) -> None:
        behaviour, random = self.behaviour, self._network.random
        for read_id, flight in list(self._flights.items()):
            too_large = flight.wire_bytes > behaviour.largest
            if behaviour.hangs_up and random.random() < 0.3:
                behaviour.hangs_up -= 1
                self._end(None)
            if read_id in behaviour.poison or (too_large and behaviour.says == "nothing"):
                self._end(None)
            if too_large and behaviour.says == "disconnect":
                self._end(PACKET_TOO_LARGE)
            reason = PACKET_TOO_LARGE if too_large else 0
            if self._recipients[read_id] in behaviour.denied:
                reason = NOT_AUTHORIZED
            if not reason:
                self._network.acknowledged[read_id] += 1
            del self._flights[read_id]
            words = f"in its own words ({reason})"
            self._answers.append(Answer(flight, reason, reason >= 0x80, words))
        if behaviour.taken_over:
            self._end(SESSION_TAKEN_OVER)

    def _end(self, reason) -> None:
        self.connected, self.ended_by = False, reason
        raise NetworkError("the connection ended", where=f"broker {self.broker.id!r}")

    def take_answers(self):
        taken, self._answers = self._answers, []
        return taken

    def take_flights(self):
        taken, self._flights = list(self._flights.values()), {}
        return taken

    def take_receipts(self):
        return []

    def close(self) -> None:
        self.connected = False


@dataclass
class Network(World):
    """A camera's deliver, its publisher, and brokers that behave."""

    behaviours: dict[str, Behaviour]
    serves: dict[str, frozenset] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self.random, self.sizes = Random(self.seed), {}
        self.acknowledged, self.sent, self.dials = Counter(), defaultdict(list), defaultdict(list)
        self.told: list[tuple[str, str, str]] = []
        everybody = frozenset({POLICE, SHERIFF})
        brokers = [
            Broker(
                name, "h.example", (("203.0.113.10", 8883),), "ca.pem",
                frozenset({bytes(32)}), self.serves.get(name, everybody),
            )
            for name in self.behaviours
        ]  # fmt: skip
        self.publisher = MqttPublisher(
            brokers,
            dict.fromkeys(self.behaviours),
            "cam-7",
            None,
            now=lambda: self.clock.now().utc,
            jitter=lambda: 0.0,
            refused=lambda *what: self.told.append(what),
            link=lambda broker, *_: Link(broker, self),
            monotonic=lambda: self.clock.elapsed_s,
        )

    def read(self, recipient=POLICE, size=1_000) -> str:
        read_id = self.seal(recipient).tags.read_id
        self.sizes[read_id] = size
        return read_id

    def go(self, seconds: float, until=lambda: False) -> None:
        verifier, end_s = FakeReceiptVerifier((POLICE, SHERIFF)), self.clock.elapsed_s + seconds
        while self.clock.elapsed_s < end_s and not until():
            route = Route(self.policy, verifier, self.publisher)
            self.result = self.delivery.pass_once(route, lambda: None, lambda: False)
            self.clock.advance(PASS_S)

    def gaps(self, read_id) -> list[float]:
        times = [when for when, _ in self.sent[read_id]]
        return [later - earlier for earlier, later in pairwise(times)]


def test_a_denied_recipient_keeps_nobody_else_waiting_and_its_read_backs_off() -> None:
    network = Network({"one": Behaviour(denied=frozenset({POLICE}))})
    denied = [network.read(POLICE) for _ in range(30)]
    free = [network.read(SHERIFF) for _ in range(30)]
    network.go(20)
    assert set(network.acknowledged) == set(free)
    assert [round(gap) for gap in network.gaps(denied[0])] == [5, 10]
    assert len(network.dials["one"]) == 1
    leaves = list(network.log.details("refusal"))
    assert Counter(leaf["read"] for leaf in leaves) == dict.fromkeys(denied, 1)
    assert {leaf["reason"] for leaf in leaves} == {"broker-refused-read"}
    assert "in its own words (135)" in network.result.trouble


@pytest.mark.parametrize("says", ["puback", "disconnect", "nothing"])
def test_one_large_read_waits_by_itself_and_says_why(says) -> None:
    network = Network({"one": Behaviour(largest=5_000, says=says)})
    small = [network.read() for _ in range(10)]
    large = network.read(size=60_000)
    small += [network.read() for _ in range(30)]
    network.go(20)
    assert set(network.acknowledged) == set(small)
    network.go(200)
    assert large not in network.acknowledged
    assert len(network.sent[large]) < 12
    (reason,) = {leaf["reason"] for leaf in network.log.details("refusal") if leaf["read"] == large}
    assert reason == ("read-ends-connection" if says == "nothing" else "too-large-for-broker")
    if says != "nothing":
        assert "60000 bytes is too large for the broker" in network.result.trouble
    assert {leaf["read"] for leaf in network.log.details("refusal")} == {large}


def test_the_next_broker_of_the_policy_takes_what_the_first_one_refuses() -> None:
    network = Network({"one": Behaviour(denied=frozenset({POLICE})), "two": Behaviour()})
    read = network.read()
    network.go(2)
    assert [broker for _, broker in network.sent[read]] == ["one", "two"]
    assert network.log.details("refusal") == []


def test_the_back_off_of_a_connection_is_reset_by_an_acknowledgement_alone() -> None:
    network = Network({"one": Behaviour(hangs_up=10**9, denied=frozenset({POLICE}))})
    network.random.random = lambda: 0.0  # every connection is accepted, and ends at its first read
    for _ in range(8):
        network.read(SHERIFF)
    network.go(120)
    waits = [later - earlier for earlier, later in pairwise(network.dials["one"])]
    assert max(waits) >= 30
    network.behaviours["one"].hangs_up = 0
    network.go(60)
    before = len(network.dials["one"])
    network.behaviours["one"].hangs_up = 1
    network.read(SHERIFF)
    network.go(3)
    assert len(network.dials["one"]) == before + 1


def test_two_devices_with_one_id_back_off_and_say_so() -> None:
    network = Network({"one": Behaviour(taken_over=True)})
    for _ in range(3):
        network.read()
    network.go(300)
    waits = [later - earlier for earlier, later in pairwise(network.dials["one"])]
    assert len(waits) < 30
    assert max(waits) >= 30
    assert {reason for _, _, reason in network.told} == {"client-id-taken"}


def test_a_suspect_has_its_turn_although_others_keep_coming() -> None:
    network = Network({"one": Behaviour(hangs_up=1)})
    network.random.random = lambda: 0.0
    first = network.read()
    network.go(0.5)
    network.random.random = lambda: 1.0
    for _ in range(16):
        for _ in range(30):
            network.read(SHERIFF)
        network.go(PASS_S)
    assert first in network.acknowledged


behaviours = st.builds(
    Behaviour,
    denied=st.sampled_from([frozenset(), frozenset({POLICE}), frozenset({SHERIFF})]),
    largest=st.sampled_from([500, 5_000, 1 << 20]),
    says=st.sampled_from(["puback", "disconnect", "nothing"]),
    hangs_up=st.integers(0, 4),
    window=st.integers(1, 20),
)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_any_broker_permits_is_acknowledged_and_waits_grow(data) -> None:
    network = Network(
        {name: data.draw(behaviours) for name in data.draw(st.sampled_from(["a", "ab", "abc"]))},
        seed=data.draw(st.integers(0, 2**32)),
    )
    reads = {
        network.read(recipient, size): (recipient, size)
        for recipient, size in data.draw(
            st.lists(
                st.tuples(
                    st.sampled_from([POLICE, SHERIFF]), st.sampled_from([400, 2_000, 60_000])
                ),
                max_size=25,
            )
        )
    }  # fmt: skip
    for behaviour in network.behaviours.values():
        behaviour.poison = frozenset(
            data.draw(st.lists(st.sampled_from(sorted(reads)), max_size=2)) if reads else ()
        )
    permitted = {
        read_id
        for read_id, (recipient, size) in reads.items()
        if any(
            recipient not in b.denied and size <= b.largest and read_id not in b.poison
            for b in network.behaviours.values()
        )
    }
    network.go(900, until=lambda: permitted <= set(network.acknowledged))
    assert set(network.acknowledged) == permitted
    network.go(60)
    for read_id in set(reads) - permitted:
        assert len(network.sent[read_id]) <= 20 * len(network.behaviours)
