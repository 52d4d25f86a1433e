"""Each camera's own order of a broker's addresses: a fleet spreads over them, and over the rest
where one is away; deliver and update dial in that order.
"""

from collections import Counter
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from agent.core.policy.policy import Broker
from agent.errors import NetworkError
from agent.network.egress import Egress
from agent.network.publisher import MqttPublisher
from agent.network.spread import spread
from agent.settings import Limits
from agent.sides import update

NODES = tuple((f"203.0.113.{number}", 8883) for number in (11, 12, 13))
FLEET = [f"main-street-{number}" for number in range(3_000)]


def shares(counted):
    return [counted[node] / len(FLEET) for node in NODES]


class TestSpread:
    def test_each_address_is_the_first_of_about_as_many_cameras(self):
        for share in shares(Counter(spread(NODES, camera)[0] for camera in FLEET)):
            assert 0.30 < share < 0.37

    def test_the_cameras_of_one_that_is_away_spread_over_the_others(self):
        left = [
            spread(NODES, camera)[1] for camera in FLEET if spread(NODES, camera)[0] == NODES[0]
        ]
        assert 0.45 < left.count(NODES[1]) / len(left) < 0.55

    def test_nothing_is_left_out_and_the_order_stays(self):
        for camera in FLEET[:50]:
            assert sorted(spread(NODES, camera)) == sorted(NODES)
            assert spread(NODES, camera) == spread(reversed(NODES), camera)

    def test_one_more_address_moves_no_camera_between_the_others(self):
        more = (*NODES, ("203.0.113.14", 8883))
        moved = [one for one in FLEET if spread(more, one)[0] != spread(NODES, one)[0]]
        assert {spread(more, one)[0] for one in moved} == {more[-1]}

    def test_two_ports_of_one_address_are_two(self):
        ports = [("203.0.113.11", 8883), ("203.0.113.11", 8884)]
        assert {spread(ports, camera)[0] for camera in FLEET[:50]} == set(ports)


class Link:
    """Stands for network/broker_link.py: an address that is away refuses."""

    def __init__(self, broker, dialled) -> None:
        self.broker, self._dialled = broker, dialled
        self.connected, self.hurried, self.ended_by = False, False, None

    def connect(self, address, port) -> None:
        self._dialled.append((address, port))
        raise NetworkError("is away", where=f"{address}:{port}")

    def poll(self) -> None:
        pass

    def take_answers(self):
        return []

    take_flights = take_answers


def dialled_by(camera):
    pins = frozenset({b"p" * 32})
    broker = Broker("city-hall", "mqtt.example", NODES, "ca.pem", pins, frozenset({"police"}))
    dialled = []
    sender = MqttPublisher(
        [broker],
        {broker.id: None},
        camera,
        Egress([broker]),
        now=lambda: datetime.now(UTC),
        jitter=lambda: 0.0,
        refused=lambda *_: None,
        link=lambda listed, *_: Link(listed, dialled),
    )
    sender.collect(0.0)
    return dialled


class Away:
    """Stands for network/https_source.py: a source that is away."""

    def __init__(self, address) -> None:
        self._address = address

    def chunks(self, *_more):
        raise NetworkError("is away", where=str(self._address))

    def close(self) -> None:
        pass


@pytest.mark.parametrize("camera", FLEET[:4])
def test_update_tries_each_address_of_a_source_in_its_own_order(camera, tmp_path, monkeypatch):
    asked = []
    source = Broker("hall", "w.example", NODES, "ca.pem", frozenset({b"p" * 32}), frozenset())
    city = SimpleNamespace(policy=lambda: SimpleNamespace(bundle_sources=(source,)), ca=str)
    changed = {
        "_verified": lambda *_: SimpleNamespace(city=tmp_path),
        "CityFolder": lambda _folder: city,
        "context_for": lambda *_: None,
        "install_guard": lambda *_: None,
        "refuse_proxies": lambda *_: None,
        "HttpsSource": lambda _source, address, *_: [asked.append(address), Away(address)][1],
    }
    for name, stand_in in changed.items():
        monkeypatch.setattr(update, name, stand_in)
    settings = SimpleNamespace(
        state=tmp_path, bundles=tmp_path / "in", limits=Limits(), camera_id=camera
    )
    with pytest.raises(NetworkError, match="is away"):
        update.from_network(settings)
    assert asked == list(spread(NODES, camera))


def test_deliver_tries_each_address_in_its_own_order():
    assert [dialled_by(camera) for camera in FLEET[:20]] == [
        list(spread(NODES, camera)) for camera in FLEET[:20]
    ]
