"""Runs the rounds, shows how far they are, and ends with one line of JSON: 1 where anything was
lost, came twice, lay in the clear, or went where no policy says.
"""

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.faults.rounds import ability, counting, plants, roles, stages
from tests.faults.rounds.kind import Kind
from tests.faults.rounds.kinds import KINDS, kill
from tests.faults.rounds.line import Line, StuckError
from tests.faults.rounds.network import Cables, Loopback
from tests.faults.walls.exercise import complaints, exercise
from tests.support.camera_rig import PLATE
from tests.support.plate_search import search

OWN_FAULTS = ("Traceback", "stopped by a fault of its own")
# So many rounds come to every stage.
ALL_STAGES = len(KINDS) * -(-max(map(len, stages.OF_ROLE.values())) // kill.STAGES_A_ROUND)
ROOM_BYTES = 512 << 20
MUST_BE_ZERO = ("lost", "duplicates", "plaintext", "unlisted", "waiting", "faults")


@dataclass
class Report:
    """What the rounds showed. `seconds`: by kind, of each of its rounds. `attempts`: ways out that
    were tried.
    """

    rounds: int = 0
    attempts: int = 0
    faults: list[str] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--kind", action="append", choices=[kind.name for kind in KINDS])
    parser.add_argument("--plant", choices=plants.PLANTS, help="put this fault in, to see it found")
    options = parser.parse_args()
    os.environ |= {roles.PLANT: options.plant} if options.plant else {}
    console, report = Console(stderr=True, highlight=False, markup=False), Report()
    lacks = ability.missing()
    net = Loopback() if lacks else Cables(options.seed)
    kinds = [kind for kind in KINDS if not options.kind or kind.name in options.kind]
    if not net.walled:
        report.not_run = [kind.name for kind in kinds if kind.needs_root] + ["capture", "attempts"]
        for what in report.not_run:
            console.print(f"not run: {what} ({lacks})")
    kinds = [kind for kind in kinds if kind.name not in report.not_run]
    console.print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="platewarden-faults-", dir=_in_memory()) as folder:
        try:
            if net.walled and not options.plant:
                _attempt(net, Path(folder), report)
            told = _with_line(Line(Path(folder), net), kinds, options.rounds, report, console)
        finally:
            net.close()
    for fault in report.faults:
        console.print(f"FAULT {fault}")
    print(json.dumps(told))
    return 1 if any(told[name] for name in MUST_BE_ZERO) else 0


def _in_memory() -> str | None:
    """Where the machines' disks lie: in memory if there is room, so that a round is not as slow as
    the syncs of a busy machine's own disk.
    """
    place = Path("/dev/shm")
    try:
        roomy = shutil.disk_usage(place).free >= ROOM_BYTES
    except OSError:
        roomy = False
    return str(place) if roomy else None


def _attempt(net: Cables, folder: Path, report: Report) -> None:
    """Every way out of a process that is confined as deliver is."""
    folder.chmod(0o711)
    seen = exercise(net, folder)
    report.attempts = len(seen.answers)
    report.faults += complaints(seen)


def _with_line(
    line: Line, kinds: list[Kind], rounds: int, report: Report, console: Console
) -> dict[str, object]:
    try:
        _play(line, kinds, rounds, report, console)
        said = line.outputs()
        report.faults += [f"a process said {words!r}" for words in OWN_FAULTS if words in said]
        report.faults += line.strange
        told = _summed(line, report)
        if report.faults:
            console.print(said[-4_000:])
    finally:
        line.discard()
    return told


def _play(line: Line, kinds: list[Kind], rounds: int, report: Report, console: Console) -> None:
    """All rounds, or up to the first that sticks."""
    columns = (TextColumn("{task.description:<22}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task("the line starts", total=rounds)
        try:
            line.start()
            for number in range(rounds):
                kind = kinds[number % len(kinds)]
                progress.update(task, description=kind.name)
                _one(line, kind, number // len(kinds), report)
                progress.advance(task)
            progress.update(task, description="the line ends")
            line.close()
        except (StuckError, AssertionError) as error:
            report.faults.append(f"round {report.rounds}: {error}")


def _one(line: Line, kind: Kind, turn: int, report: Report) -> None:
    """One round: some reads, the fault, recovery, and everything settled."""
    report.rounds += 1
    began_s = time.monotonic()
    try:
        line.drive(1)
        kind.play(line, turn)
        line.settle()
    except (StuckError, AssertionError) as error:
        raise StuckError(f"({kind.name}, its turn {turn}) {error}") from error
    finally:
        report.seconds.setdefault(kind.name, []).append(time.monotonic() - began_s)


def _summed(line: Line, report: Report) -> dict[str, object]:
    """The last line of the output."""
    told = counting.gather(line.state, line.stored())
    counted = counting.count(told)
    report.faults += counted.faults
    gone = sorted(set(line.released_reads) - told.released.keys())
    report.faults += [f"the leaf of read {read} was committed and is gone" for read in gone]
    hit = [told for one in line.workers for told in stages.reached(one.control)]
    missed = sorted(stages.KNOWN.difference(hit)) if report.rounds >= ALL_STAGES else []
    report.faults += [f"no round came to the stage {stage!r}" for stage in missed]
    plates = len(search(line.folder, [PLATE])) + line.plaintext
    ends = Counter(f"{one.role} {code}" for one in line.workers for code in one.ends)
    return {
        "rounds": report.rounds,
        "released": counted.released,
        "receipted": counted.receipted,
        "expired": counted.expired,
        "withdrawn": counted.withdrawn,
        "lost": counted.lost + len(gone),
        "duplicates": counted.duplicates,
        "plaintext": plates,
        "unlisted": None,
        "waiting": counted.waiting,
        "stages": len(stages.KNOWN),
        "stages_hit": len(stages.KNOWN.intersection(hit)),
        "power_cuts": sum(told.startswith("power cut") for told in hit),
        "attempts": report.attempts,
        **_captured(line.net, plates, report),
        "faults": len(report.faults),
        "ended_by_themselves": dict(sorted(ends.items())),
        "not_run": report.not_run,
        "mean_s": {name: round(sum(s) / len(s), 1) for name, s in report.seconds.items()},
    }


def _captured(net: Cables | Loopback, plates: int, report: Report) -> dict[str, object]:
    """What the capture adds, where there is one."""
    if net.capture is None:
        return {}
    if missed := net.capture.missed():
        report.faults.append(f"the capture missed {missed} packets")
    for (machine, address), times in net.capture.unlisted.items():
        report.faults.append(f"{times} packets to {address} from the {machine}")
    return {
        "plaintext": plates + net.capture.plaintext,
        "unlisted": sum(net.capture.unlisted.values()),
        "packets": sum(net.capture.packets.values()),
    }


if __name__ == "__main__":
    sys.exit(main())
