"""No packet passes between a machine and the broker, and nobody is told."""

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.network import CAMERA, POLICE

CUT_S = 1.5


def play(line: Line, turn: int) -> None:
    with line.net.losing((CAMERA, POLICE)[turn % 2], 1.0):
        line.drive(3)
        line.run_for(CUT_S)


KIND = Kind(
    "partition",
    "every packet from and to the camera, or the recipients, is lost for a second and a half",
    play,
    needs_root=True,
)
