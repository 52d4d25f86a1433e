"""A broker that acknowledges and forgets: reads, or receipts."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.lying_broker import LyingBroker, lie_for_a_while


def forget_reads(broker: LyingBroker, topic: str, payload: bytes) -> None:
    """Every first try."""
    if "/reads/" in topic and broker.arrived[topic].count(payload) == 1:
        broker.lies += 1
        return
    broker.send(topic, payload)


def forget_receipts(broker: LyingBroker, topic: str, payload: bytes) -> None:
    if "/receipts/" in topic:
        broker.lies += 1
        return
    broker.send(topic, payload)


def play(line: Line, turn: int) -> None:
    lie_for_a_while(line, (forget_reads, forget_receipts)[turn % 2], enough=4)


KIND = Kind(
    "broker-forgets",
    "the broker acknowledges reads, or receipts, in turn, and throws them away",
    play,
)
