"""Three packets in ten are lost, in both directions."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.network import CAMERA, POLICE

LOSSY_S, SHARE = 2.0, 0.3


def play(line: Line, _turn: int) -> None:
    with line.net.losing(CAMERA, SHARE), line.net.losing(POLICE, SHARE):
        line.drive(3)
        line.run_for(LOSSY_S)


KIND = Kind("packet-loss", "30 % of all packets are lost for two seconds", play, needs_root=True)
