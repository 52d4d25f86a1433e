"""Folders in which nothing can be made or removed any more, under processes that run."""

from tests.faults.rounds.city import POLICE
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.line import Line

LOCKED_S = 1.0


def play(line: Line, turn: int) -> None:
    store = line.stored()[POLICE]
    locked, disk = (
        ([line.state / "outbox"], line.camera_disk),
        ([line.state / "receipts"], line.camera_disk),
        ([store, store / "incoming"], line.police_disk),
        ([line.state / "watch", line.state / "deliver"], line.camera_disk),
    )[turn % 4]
    disk.lock(*locked)
    try:
        line.drive(2)
        line.run_for(LOCKED_S)
        if turn % 2:  # and whoever starts meanwhile
            for worker in line.workers:
                worker.end()
            line.run_for(LOCKED_S / 2)
    finally:
        disk.unlock(*locked)


KIND = Kind(
    "read-only-folder",
    "outbox, receipts, a store, or the logs' folders, in turn, cannot be written for a second",
    play,
    needs_root=True,
)
