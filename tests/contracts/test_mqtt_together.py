"""What the driver sends together goes out as one: over a fake broker and a real Mosquitto."""

import time
from dataclasses import replace

import pytest

from agent.mqtt.events import Acknowledged, Received
from agent.mqtt.pinned_tls import PinnedSocket
from tests.contracts.test_mqtt_driver import (
    SESSION,
    TOPIC,
    FakeWorld,
    RealWorld,
    events_of,
)

pytestmark = pytest.mark.broker


@pytest.fixture(params=[FakeWorld, RealWorld], ids=["fake", "mosquitto"])
def world(request, tmp_path):
    made = request.param(tmp_path)
    yield made
    made.close()


def test_what_is_sent_together_waits_for_its_end_and_goes_in_order(world) -> None:
    driver = world.subscribed()
    for payload in (b"first", b"second"):
        world.send(payload)
    messages = events_of(driver, 2, Received)
    with driver.together():
        tickets = [driver.publish(TOPIC, bytes([number])) for number in range(3)]
        for message in messages:
            driver.acknowledge(message)
        assert driver.loop(0.3) == ()  # no answer: nothing has gone out
    answers = events_of(driver, 3, Acknowledged)
    assert [one.ticket for one in answers] == tickets
    driver.close()
    world.dial(driver)
    time.sleep(0.2)
    again = [one for one in driver.loop(0.2) if isinstance(one, Received)]
    assert not {one.untrusted_payload for one in again} & {b"first", b"second"}


def test_what_a_turn_sends_goes_out_at_its_end(world, monkeypatch) -> None:
    """What waited for room, and paho's own acknowledgements: each as a record of its own would
    cost the broker a look at its disk.
    """
    driver = world.subscribed(session=replace(SESSION, by_hand=False, max_in_flight=1))
    for number in range(3):
        driver.publish(TOPIC, bytes([number]))
    holding, honest = [], PinnedSocket.send

    def send(sock, data, flags=0):
        holding.append(sock.holding)
        return honest(sock, data, flags)

    monkeypatch.setattr(PinnedSocket, "send", send)
    assert len(events_of(driver, 3, Acknowledged)) == 3
    assert len(holding) >= 2  # the second and third message, at least
    assert all(holding)


def test_what_is_held_goes_out_before_the_goodbye(world) -> None:
    driver = world.subscribed()
    world.send(b"wire")
    (message,) = events_of(driver, 1, Received)
    with driver.together():
        driver.acknowledge(message)
        driver.close()
    assert world.dial(driver).session_present
    time.sleep(0.2)
    assert driver.loop(0.2) == ()
