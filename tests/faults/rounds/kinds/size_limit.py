"""A broker that takes no message as large as a read."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line

LIMITED_S = 1.0
LIMITS = ("message_size_limit 2000", "max_packet_size 2000")


def play(line: Line, turn: int) -> None:
    with line.broker_as(options=[LIMITS[turn % len(LIMITS)]]):
        line.drive(2)
        line.taken()
        line.run_for(LIMITED_S)
        assert line.waiting(), "the broker limits nothing"


KIND = Kind(
    "broker-limits-sizes",
    "the broker takes 2,000 bytes at most, by message_size_limit or max_packet_size, for a second",
    play,
)
