"""The broker at the listed address shows another certificate: one that has expired, or a stranger's
from the same authority.
"""

from functools import partial

from tests.faults.rounds.city import CAMERA
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line

SHOWN_S = 1.0


def swap(line: Line, _turn: int, shown: str) -> None:
    said = len(line.broker.log())
    with line.broker_as(getattr(line.city, shown)) as broker:
        line.drive(2)
        line.run_for(SHOWN_S)
        assert f" as {CAMERA} " not in broker.log()[said:], "deliver has connected"


KINDS = (
    Kind(
        "certificate-expired",
        "the broker's certificate has expired; its key is listed",
        partial(swap, shown="expired"),
    ),
    Kind(
        "certificate-swapped",
        "the broker has another key, certified by the same authority",
        partial(swap, shown="stranger"),
    ),
)
