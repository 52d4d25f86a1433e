"""SIGKILL to each process, and to the broker, at each stage."""

import signal
from functools import partial

from tests.faults.rounds import stages
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line, Worker

STAGES_A_ROUND, REACHED_WITHIN_S = 2, 60.0


def worker_of(line: Line, role: str, turn: int) -> Worker:
    """The recipients take turns."""
    if role == "receiver":
        receivers = list(line.receivers.values())
        return receivers[turn % len(receivers)]
    return {"watch": line.watch, "deliver": line.deliver}[role]


def reach(
    line: Line, worker: Worker, stage: stages.Stage, told: str, number: int, victim: int | None
) -> None:
    """Arm the stage, let cars pass, and wait until the signal went."""
    before = len(stages.reached(worker.control))
    stages.arm(worker.control, stage, told, number, victim)
    if stage.at_start:
        worker.end()
    line.drive(2)
    line.until(
        lambda: len(stages.reached(worker.control)) > before,
        f"the stage {told!r}",
        REACHED_WITHIN_S,
    )


def kill_process(line: Line, turn: int, role: str) -> None:
    known = stages.OF_ROLE[role]
    for number in range(STAGES_A_ROUND * turn, STAGES_A_ROUND * (turn + 1)):
        stage = known[number % len(known)]
        told = f"{role}: {stage.name}"
        reach(line, worker_of(line, role, number), stage, told, signal.SIGKILL, None)


def kill_broker(line: Line, turn: int) -> None:
    for number in range(STAGES_A_ROUND * turn, STAGES_A_ROUND * (turn + 1)):
        role, stage = stages.BROKER[number % len(stages.BROKER)]
        told = f"broker, at {role}: {stage.name}"
        worker = worker_of(line, role, number)
        reach(line, worker, stage, told, signal.SIGKILL, line.broker.pid)
        line.broker.kill()  # it is dead already; take note of it
        line.broker.start()


KINDS = (
    *(
        Kind(
            f"kill-{role}",
            f"SIGKILL to {role} at two of its {len(stages.OF_ROLE[role])} stages",
            partial(kill_process, role=role),
        )
        for role in stages.OF_ROLE
    ),
    Kind(
        "kill-broker",
        f"SIGKILL to the broker at two of {len(stages.BROKER)} stages of the processes at its ends",
        kill_broker,
    ),
)
