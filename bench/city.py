"""What a changed hot list costs the city that publishes it, by the number of its cameras:
`python -m bench.city` (docs/ref/bench.md).

Each city is founded, enrolled and published by the commands themselves. Each measured command is a
fresh process, the cities in turn: time on the clock, CPU time with the start of Python, and the
process's greatest memory; medians over the rounds.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from agent.sealing.camera_keys import make_kit
from tests.support.clerk_city import FIRST, LATER, Desk, found, publish_first

if TYPE_CHECKING:
    from collections.abc import Sequence

    Figures = tuple[float, float, float]

CITIES = (10, 10_000)
CHILD = """
import sys, time
from agent import cli
from bench.process_memory import memory_mb
try:
    cli.main(sys.argv[1:])
finally:
    print(time.process_time(), memory_mb("VmHWM"), file=sys.stderr)
"""
HEADER = "plate,state,category,agency,case,source_date,expires\n"


class Quiet:
    """Stands in for pytest's capture, of which a Desk reads what a command told."""

    def readouterr(self) -> Quiet:
        return self

    out = err = ""


def city(folder: Path, cameras: int) -> Desk:
    """A published city with so many enrolled cameras, and no list yet."""
    folder.mkdir()
    desk = publish_first(found(folder, Quiet()))
    enrolments = folder / "enrolments"
    enrolments.mkdir()
    made = datetime.fromisoformat(FIRST)
    names = [f"camera-{number:06}" for number in range(cameras)]
    for name in names:
        data = make_kit(name, made).public["enrolment.json"]
        (enrolments / f"{name}.json").write_bytes(data)
    tables = (
        f'[[camera]]\nid = "{name}"\nstands = "a street"\nnear = []\nmount = "fixed"\n'
        for name in names
    )
    (enrolments / "roster.toml").write_text("\n".join(tables))
    key = ("--roster-key", desk.key("roster"), "--passphrase-file", folder / "passphrase")
    for done in (
        desk.sign("dora", "--enrol", enrolments, *key, on=LATER),
        desk.sign("eli", on=LATER),
        desk.publish(on=LATER),
    ):
        assert done.code == 0, done
    return desk


def write_list(desk: Desk, entries: int, begin: int) -> None:
    """Another list of so many made-up rows than one with another beginning."""
    rows = (
        f"{n % 10}BNC{n:05d},US-CA,stolen-vehicle,Bench PD,B-{n},2026-11-10,2031-01-10\n"
        for n in range(begin, begin + entries)
    )
    (desk.lists / "hotlist.csv").write_text(HEADER + "".join(rows))


def spent(*words: object) -> Figures:
    """Seconds on the clock, CPU seconds, memory in MB of one command; it must succeed."""
    begun = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *map(str, words)], capture_output=True, text=True, check=False
    )
    clock_s = time.monotonic() - begun
    if done.returncode:
        sys.exit(f"bench: {words[0]} {words[1]} ended with {done.returncode}: {done.stderr}")
    cpu_s, memory = done.stderr.splitlines()[-1].split()
    return clock_s, float(cpu_s), float(memory)


def round_of(desk: Desk, number: int, entries: int) -> dict[str, Figures]:
    """One changed list: signed by its owner, then published by the daily job; and a check."""
    write_list(desk, entries, begin=number * entries)
    at = datetime.fromisoformat(LATER).astimezone(UTC) + timedelta(minutes=10 * (number + 1))
    on = ("--on", f"{at:%Y-%m-%dT%H:%M:%SZ}")
    city_of = ("--city", desk.city)
    keys = [("--key", desk.key(name)) for name in ("list", "daily")]
    return {
        "hotlist publish": spent("hotlist", "publish", *city_of, *keys[0], *on),
        "bundle publish": spent("bundle", "publish", *city_of, *keys[1], *on),
        "policy check": spent("policy", "check", desk.city / "policy.toml", *on),
    }


def measured(folder: Path, rounds: int, entries: int, console: Console) -> dict[str, object]:
    """{command: {cameras: …}}; a first round, in which all is new, does not count."""
    with redirect_stdout(io.StringIO()):  # a line for each camera, with its fingerprint
        desks = {cameras: city(folder / str(cameras), cameras) for cameras in CITIES}
    seen: dict[str, dict[int, list[Figures]]] = {}
    for number in track(range(rounds + 1), "rounds", console=console, transient=True):
        for cameras, desk in desks.items():
            for name, figures in round_of(desk, number, entries).items():
                if number:
                    seen.setdefault(name, {}).setdefault(cameras, []).append(figures)
    return {
        name: {
            str(cameras): {
                "clock_s": round(median(one[0] for one in runs), 2),
                "cpu_s": round(median(one[1] for one in runs), 2),
                "memory_mb": round(median(one[2] for one in runs)),
            }
            for cameras, runs in of.items()
        }
        for name, of in seen.items()
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one JSON object."""
    parser = argparse.ArgumentParser(prog="python -m bench.city", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="changed lists (3)")
    parser.add_argument("--entries", type=int, default=1_000, metavar="N", help="of a list (1,000)")
    asked = parser.parse_args(arguments)
    if min(asked.rounds, asked.entries) < 1:
        parser.error("--rounds and --entries start at 1")
    work = Path(tempfile.mkdtemp(prefix="bench-city-"))
    try:
        print(json.dumps(measured(work, asked.rounds, asked.entries, Console(stderr=True))))
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
