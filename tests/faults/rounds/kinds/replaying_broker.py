"""A broker that hands on everything again and again, reads to both sides' harm and receipts too."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.lying_broker import LyingBroker, lie_for_a_while


def replay(broker: LyingBroker, topic: str, payload: bytes) -> None:
    broker.send(topic, payload)
    for old in broker.arrived[topic][-5:]:
        broker.lies += 1
        broker.send(topic, old)
    # and to the other recipient, who cannot open it
    for other in {name for name in broker.arrived if "/reads/" in name} - {topic}:
        if "/reads/" in topic:
            broker.send(other, payload)


def play(line: Line, _turn: int) -> None:
    lie_for_a_while(line, replay, enough=8)


KIND = Kind(
    "broker-replays",
    "the broker hands on each message again, up to six times, and reads to the wrong recipient too",
    play,
)
