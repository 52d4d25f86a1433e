"""A broker that holds messages back and hands them on the last first."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.lying_broker import LyingBroker, lie_for_a_while

HELD = 3


def reorder(broker: LyingBroker, topic: str, _payload: bytes) -> None:
    held = broker.arrived[topic]
    if len(held) % HELD == 0:
        broker.lies += 1
        for payload in reversed(held[-HELD:]):
            broker.send(topic, payload)


def play(line: Line, _turn: int) -> None:
    lie_for_a_while(line, reorder, enough=4, cars=2 * HELD)


KIND = Kind(
    "broker-reorders", "the broker holds back three messages a topic, the last goes first", play
)
