"""A machine's wall clock jumps, and later comes back; reads wait meanwhile."""

from tests.faults.rounds import roles
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.network import CAMERA, POLICE

JUMPED_S, DAY_S = 1.0, 86_400
JUMPS = (
    (CAMERA, 40 * DAY_S),
    (POLICE, 40 * DAY_S),
    (CAMERA, -40 * DAY_S),
    (POLICE, -40 * DAY_S),
    (CAMERA, 3600),
    (CAMERA, -3600),
)


def play(line: Line, turn: int) -> None:
    machine, seconds = JUMPS[turn % len(JUMPS)]
    workers = line.on(machine)
    with line.no_broker():
        line.drive(2)
        line.taken()
        for worker in workers:
            (worker.control / roles.CLOCK).write_text(str(seconds))
        if turn % 2:  # and whoever starts with it
            for worker in workers:
                worker.end()
    try:
        line.drive(1)
        line.run_for(JUMPED_S)
    finally:
        for worker in workers:
            (worker.control / roles.CLOCK).unlink()


KIND = Kind(
    "clock-jump",
    "the camera's or the recipients' clock jumps by 40 days or an hour, either way, and comes back",
    play,
)
