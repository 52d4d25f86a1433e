"""Kills a writer of outbox and log with SIGKILL at random instants, again and again, and counts
what was lost.

After every kill, over the same folder: each read whose `put` had returned is there, byte for byte;
none is half-written; each removal that had returned stays removed; sequence numbers have no gap;
the log opens and verifies. Limit: SIGKILL leaves the kernel's page cache alive, so this is no power
cut; that the syncs are asked for, in the right order, is tested in
tests/promises/test_p08_outbox.py.
"""

import json
import os
import random
import select
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from agent.audit.log_verify import verify
from agent.storage.mailbox import OutboxReader
from agent.storage.outbox import Outbox
from tests.support.audit_logs import TRUSTED, open_log, sealed_read

RECIPIENT = "exampleville-pd"
MAX_BYTES = 65_536
KEEP = 5
STARTUP_S = 20.0


@dataclass
class Known:
    """What the writer had been told: a call that returned is a promise; the one under way may have
    happened or not.
    """

    kept: set[int] = field(default_factory=set)
    removed: set[int] = field(default_factory=set)
    doubtful: set[int] = field(default_factory=set)
    rounds: int = 0
    puts: int = 0
    removals: int = 0
    finished_by_recovery: int = 0
    faults: list[str] = field(default_factory=list)


def read_of(number: int):
    """The same bytes for the same number, 200 bytes to 40 kB, so that a later round can compare
    them.
    """
    return sealed_read(number, number, size=random.Random(number).randint(200, 40_000))


def write_for_ever(folder: Path, report: Callable[[str], None]) -> None:
    """The writer: recovers, then puts and removes, saying each thing before it is begun and after
    it has returned.
    """
    with open_log(folder / "watch") as log:
        outbox = Outbox(folder / "outbox", log, 1_000, MAX_BYTES)
        for read_id in outbox.recover():
            report(f"lost {int(read_id, 16)}")
        report("ready 0")
        while True:
            number = outbox.next_sequence(RECIPIENT)
            report(f"putting {number}")
            outbox.put(read_of(number))
            report(f"put {number}")
            pending = outbox.pending()
            if len(pending) > KEEP:
                number = int(pending[0], 16)
                report(f"removing {number}")
                outbox.remove(pending[0], "receipt", {"outcome": "stored"})
                report(f"removed {number}")


def killed_run(folder: Path, seconds: float, *, once_ready: bool) -> list[str]:
    """Let a child write for some time, counted from its start or from when it is ready; kill it,
    and give what it had said.

    A pipe keeps whole what a killed writer wrote.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            write_for_ever(folder, lambda line: _say(writing, line))
        # Whatever ends the writer other than the kill is a finding.
        except BaseException as error:  # noqa: BLE001
            _say(writing, f"failed {type(error).__name__} {error}")
        finally:
            os._exit(1)
    os.close(writing)
    if once_ready:
        # A busy machine starts slowly: kill the work, not always the start.
        select.select([reading], [], [], STARTUP_S)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read().decode().splitlines()


def _say(writing: int, line: str) -> None:
    os.write(writing, f"{line}\n".encode())


def learn(known: Known, lines: list[str]) -> None:
    """Take in what the writer said."""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word in {"failed", "lost"}:
            known.faults.append(f"round {known.rounds}: the writer said: {line}")
            continue
        number = int(rest)  # "ready" needs nothing
        if word in {"putting", "removing"}:
            known.doubtful.add(number)
        elif word == "put":
            known.puts += 1
            known.doubtful.discard(number)
            known.kept.add(number)
        elif word == "removed":
            known.removals += 1
            known.doubtful.discard(number)
            known.kept.discard(number)
            known.removed.add(number)


def judge(folder: Path, known: Known) -> None:
    """Look at what is on disk: first as deliver would in this instant, then after the recovery of
    watch.
    """
    if not (folder / "watch" / "log.sqlite").exists():
        return
    faults: list[str] = []
    reader = OutboxReader(folder / "outbox", MAX_BYTES)
    visible = {int(read_id, 16) for read_id in reader.pending()}
    faults += [
        f"read {number} is half-written"
        for number in visible
        if reader.untrusted_wire(f"{number:032x}") != read_of(number).wire
    ]
    with open_log(folder / "watch") as log:
        outbox = Outbox(folder / "outbox", log, 1_000, MAX_BYTES)
        faults += [
            f"read {int(read_id, 16)} was released and is lost" for read_id in outbox.recover()
        ]
        pending = {int(read_id, 16) for read_id in outbox.pending()}
        empty = log.size == 0  # killed before the first leaf: nothing is signed yet
    odd = {
        "were put and are gone": known.kept - known.doubtful - pending,
        "were removed and are back": known.removed & pending,
        "come from nowhere": pending - known.kept - known.doubtful,
    }
    faults += [f"reads {sorted(reads)} {what}" for what, reads in odd.items() if reads]
    faults += [
        f"left over: {path.name}"
        for path in (folder / "outbox").iterdir()
        if path.suffix != ".sealed"
    ]
    sequences = released(folder)
    if sequences != list(range(1, len(sequences) + 1)):
        faults.append("sequence numbers have a gap or a repetition")
    faults += [
        f"the log: [{found.reason}] leaf {found.leaf}: {found.what}"
        for found in verify(folder / "watch", TRUSTED).faults
        if not empty
    ]
    known.finished_by_recovery += len(pending - visible)
    known.kept, known.doubtful = pending, set()
    known.faults += [f"round {known.rounds}: {fault}" for fault in faults]


def released(folder: Path) -> list[int]:
    """Sequence numbers of all release leaves, in order of the log."""
    with closing(sqlite3.connect(folder / "watch" / "log.sqlite")) as connection:
        details = [
            json.loads(row[0]) for row in connection.execute("SELECT details FROM leaf ORDER BY n")
        ]
    return [one["sequence"] for one in details if one["kind"] == "release"]


def run(
    folder: Path, rounds: int, seed: int, shortest_s: float = 0.01, longest_s: float = 0.4
) -> Known:
    """`rounds` kills over one folder."""
    known, chance = Known(), random.Random(seed)
    for known.rounds in range(1, rounds + 1):
        learn(
            known,
            killed_run(
                folder, chance.uniform(shortest_s, longest_s), once_ready=chance.random() < 0.8
            ),
        )
        judge(folder, known)
        if known.faults:
            break
    return known
