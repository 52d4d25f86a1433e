"""A machine loses its power at a stage: what was not synced to its disk is gone."""

import signal
from functools import partial

from tests.faults.rounds import stages
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.kinds.kill import reach, worker_of
from tests.faults.rounds.line import Line
from tests.faults.rounds.network import CAMERA, POLICE


def cut(line: Line, turn: int, machine: str) -> None:
    """Stop every process of the machine in one instant, keep what its disk holds, and go on from
    that.
    """
    roles = ("watch", "deliver") if machine == CAMERA else ("receiver",)
    known = [(role, stage) for role in roles for stage in stages.OF_ROLE[role]]
    # Neighbouring rounds cut at places far from each other.
    role, stage = known[turn * 7 % len(known)]
    worker = worker_of(line, role, turn)
    told = f"power cut, at {role}: {stage.name}"
    reach(line, worker, stage, told, signal.SIGSTOP, None)
    there = line.on(machine)
    for one in there:
        one.held = True
        one.send(signal.SIGSTOP)
    disk = line.camera_disk if machine == CAMERA else line.police_disk
    kept = disk.snapshot()
    for one in there:
        one.end()
    disk.cut_power(kept)
    for one in there:
        one.held = False


KINDS = tuple(
    Kind(
        f"power-cut-{machine}",
        f"the {machine}'s processes are stopped at a stage; its disk is copied and is all that is "
        "left",
        partial(cut, machine=machine),
    )
    for machine in (CAMERA, POLICE)
)
