"""Nothing listens at the broker's address; meanwhile a read expires."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line

AWAY_S = 1.0


def play(line: Line, _turn: int) -> None:
    with line.no_broker():
        line.drive(2)
        line.drive(1, late=True)
        line.run_for(AWAY_S)


KIND = Kind(
    "broker-away",
    "nothing listens for a second; of the reads that wait, one's deadline passes",
    play,
)
