"""Runs the fuzzers, two side by side, each target in a process of its own. `make fuzz MINUTES=n`;
docs/ref/fuzzing.md says what was run and found.

python -m tests.fuzz.run --minutes 10 [TARGET …] · --planted: known faults instead · --table: what
ran so far, for the document
"""

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from tests.fuzz import world
from tests.fuzz.targets import Target, load

ROOT = Path(__file__).parents[2]
OUT = ROOT / "fuzz-out"
TOLD = re.compile(r"^#(\d+)\s.* cov: (\d+) ")
DONE = re.compile(r"Done (\d+) runs in (\d+) second")
FOREIGN = re.compile(r"^([A-Za-z_][\w.]*): ?(.*)$")
STARTS_S = 90  # beside the time asked for: a busy machine imports slowly


@dataclass
class Result:
    """One target's run. `edges`: branches of Python reached; `found`: empty, or what ended it."""

    target: str
    date: str
    minutes: float
    executions: int = 0
    edges: int = 0
    found: str = ""


class Run:
    """One target's process and its log."""

    def __init__(self, target: Target, seconds: int, *, planted: bool) -> None:
        self.target, self.seconds, self.planted = target, seconds, planted
        self.started = time.monotonic()
        self.log = OUT / "logs" / f"{target.name}{'-planted' if planted else ''}.log"
        self.memory = tempfile.mkdtemp(prefix="fuzz-", dir=world.memory())
        corpus = Path(self.memory, "corpus") if planted else OUT / "corpus" / target.name
        crashes = Path(self.memory, "crashes") if planted else OUT / "crashes" / target.name
        for folder in (corpus, crashes, self.log.parent):
            folder.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable, "-m", "tests.fuzz.one", target.name, "--seconds", str(seconds),
            "--corpus", str(corpus), "--crashes", str(crashes),
            *(["--planted"] if planted else []), "--also", *target.also,
        ]  # fmt: skip
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**os.environ, world.PLACE: self.memory},
            )  # fmt: skip

    @property
    def passed_s(self) -> float:
        return time.monotonic() - self.started

    def over(self) -> bool:
        """Also: a process that its own bounds did not end."""
        if self.process.poll() is None and self.passed_s > self.seconds + STARTS_S + 300:
            self.process.kill()
            self.process.wait()
        return self.process.poll() is not None

    def result(self) -> Result:
        """So far."""
        made = Result(
            self.target.name, datetime.now(UTC).date().isoformat(), round(self.passed_s / 60, 1)
        )
        text = self.log.read_text(errors="replace")
        for line in text.splitlines():
            if told := TOLD.match(line):
                made.executions, made.edges = int(told[1]), int(told[2])
            elif done := DONE.match(line):
                made.executions, made.minutes = int(done[1]), round(int(done[2]) / 60, 1)
        if self.process.poll():
            made.found = _found(text) or f"ended with {self.process.returncode}"
        return made

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.memory, ignore_errors=True)


def _found(log: str) -> str:
    """What ended it: the exception's class and words, or libFuzzer's own error."""
    lines = log.splitlines()
    for number, line in enumerate(lines):
        if "Uncaught Python exception" in line:
            told = next((one for one in lines[number + 1 :] if FOREIGN.match(one)), "")
            places = [one.strip() for one in lines[number + 1 : number + 60] if "/agent/" in one]
            return f"{told[:160]} {places[-1] if places else ''}".strip()
        if line.startswith("==") and "ERROR: libFuzzer" in line:
            return line.partition("ERROR: ")[2]
    return ""


def run_all(targets: list[Target], seconds: int, *, planted: bool, beside: int) -> Iterator[Result]:
    """Each in turn, `beside` at once; tells how far they are."""
    waiting, running = list(targets), {}
    columns = (TextColumn("{task.description:<20}"), BarColumn(30), TimeElapsedColumn(),
               TextColumn("{task.fields[told]}"))  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as progress:
        whole = progress.add_task("all", total=len(targets), told=f"{len(targets)} targets")
        try:
            while waiting or running:
                while waiting and len(running) < beside:
                    run = Run(waiting.pop(0), seconds, planted=planted)
                    running[run] = progress.add_task(run.target.name, total=seconds, told="starts")
                time.sleep(1)
                for run, task in list(running.items()):
                    now = run.result()
                    told = f"{now.executions:>9,} executions {now.edges:>5} edges"
                    progress.update(task, completed=min(run.passed_s, seconds), told=told)
                    if run.over():
                        result = run.result()
                        run.close()
                        del running[run]
                        progress.remove_task(task)
                        progress.update(whole, advance=1)
                        yield result
        finally:
            for run in running:
                run.close()


def tell(result: Result, *, planted: bool) -> None:
    """One line a target."""
    mark = "ok" if bool(result.found) == planted else "FAILED"
    print(
        f"{mark:<6} {result.target:<20} {result.minutes:>5} min {result.executions:>9} executions "
        f"{result.edges:>5} edges  {result.found or ('not found' if planted else '')}",
        flush=True,
    )


def table() -> str:
    """Of all runs: times and executions added up, the most edges, the last day."""
    rows: dict[str, Result] = {}
    for line in (OUT / "results.jsonl").read_text().splitlines():
        one = Result(**json.loads(line))
        before = rows.get(one.target, Result(one.target, one.date, 0))
        rows[one.target] = Result(
            one.target, one.date, round(before.minutes + one.minutes, 1),
            before.executions + one.executions, max(before.edges, one.edges), one.found,
        )  # fmt: skip
    lines = [
        f"| `{name}` | {target.fed} | {row.executions:,} | {row.edges} | {row.minutes} "
        f"| {row.date} |"
        for name, target in load().items()
        if (row := rows.get(name))
    ]
    head = (
        "| target | what is fed | executions | edges | minutes | date |\n|---|---|---|---|---|---|"
    )
    return "\n".join([head, *lines])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="TARGET")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--planted", action="store_true", help="find the known faults instead")
    parser.add_argument("--beside", type=int, default=2, help="how many at once")
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no target outlives this one
    targets = load()
    if unknown := [name for name in asked.names if name not in targets]:
        print(f"no target {', '.join(unknown)}; there are: {' '.join(targets)}", file=sys.stderr)
        return 2
    if asked.table:
        print(table())
        return 0
    chosen = [targets[name] for name in asked.names or targets]
    failed = False
    seconds = round(asked.minutes * 60)
    for result in run_all(chosen, seconds, planted=asked.planted, beside=asked.beside):
        tell(result, planted=asked.planted)
        failed |= bool(result.found) != asked.planted
        if not asked.planted:
            with (OUT / "results.jsonl").open("a") as file:
                file.write(json.dumps(asdict(result)) + "\n")
    if failed and not asked.planted:
        print(f"inputs: {OUT.name}/crashes/ · logs: {OUT.name}/logs/", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
