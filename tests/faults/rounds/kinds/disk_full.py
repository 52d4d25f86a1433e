"""A machine's disk has no room left, or too little for what comes next."""

from functools import partial

from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line
from tests.faults.rounds.network import CAMERA, POLICE

FULL_S, LEFT_KB = 1.0, (0, 20, 60, 120)


def fill(line: Line, turn: int, machine: str) -> None:
    disk = line.camera_disk if machine == CAMERA else line.police_disk
    disk.fill(LEFT_KB[turn % len(LEFT_KB)])
    try:
        line.drive(3)
        line.run_for(FULL_S)
    finally:
        disk.make_room()


KINDS = tuple(
    Kind(
        f"disk-full-{machine}",
        f"the {machine}'s disk has {', '.join(map(str, LEFT_KB))} kB left, in turn, for a second",
        partial(fill, machine=machine),
        needs_root=True,
    )
    for machine in (CAMERA, POLICE)
)
