"""The broker's access list denies one recipient's reads: the other's arrive; then the city may
withdraw what waits.
"""

from tests.faults.rounds.city import POLICE, SHERIFF
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line

DENYING = f"""\
topic readwrite platewarden/1/reads/{POLICE}
topic read platewarden/1/reads/{SHERIFF}
topic readwrite platewarden/1/receipts/#
"""


def play(line: Line, turn: int) -> None:
    with line.broker_as(acl=DENYING):
        line.drive(3)
        line.taken()
        line.until(lambda: not line.waiting(POLICE), "the other recipient's reads to settle")
        assert line.waiting(SHERIFF), "the access list denies nothing"
        if turn % 2:
            line.publish((POLICE,))
            line.until(lambda: not line.waiting(SHERIFF), "the reads to be withdrawn")
    if turn % 2:
        line.publish()


KIND = Kind(
    "broker-denies",
    "the broker denies one recipient's reads until the other's have settled; every second time a "
    "new policy withdraws them",
    play,
)
