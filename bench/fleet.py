"""What `fleet status`, its page and a message cost, by the number of cameras in the city:
`python -m bench.fleet` (docs/ref/bench.md).

Each step runs in a fresh process, the cities in turn, so that what else the machine does hits them
alike. CPU time of the step alone, and the process's greatest memory; medians over the rounds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import track

from agent.core.camera.health.health_message import HealthMessage
from agent.core.camera.health.health_report import Health
from agent.core.time.instant import ClockTrust
from agent.fleet.fleet_settings import FILE_NAME
from agent.fleet.fleet_store import FleetStore

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Figures = dict[str, float]

CITIES = (10, 10_000)
STEPS = ("status", "json", "page", "metrics", "silence", "messages")
CHILD = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from bench.fleet_steps import step
from bench.process_memory import memory_mb
folder, name = Path(sys.argv[1]), sys.argv[2]
begun = time.process_time()
size = step(folder, name)
print(time.process_time() - begun, memory_mb("VmHWM"), size)
"""


def city(folder: Path, cameras: int) -> Path:
    """A fleet's folder with so many cameras that are well, but for one in a hundred."""
    folder.mkdir()
    (folder / FILE_NAME).write_text("")
    now = datetime.now(UTC)
    now_s = int(now.timestamp())
    names = [f"camera-{number:06}" for number in range(cameras)]
    with FleetStore(folder, write=True) as store:
        store.enrol(names)
        with store.transaction():
            for number, name in enumerate(names):
                silent = timedelta(hours=9 if number % 100 == 3 else 0)
                told = Health(
                    *(name, "0.1.0", now, frozenset(), 55, False, False, 9, False, 0.0, 0, 0),
                    policy_in_force=True,
                    policy_version=7,
                    policy_age_h=12,
                    clock=ClockTrust.TRUSTED,
                    watch_silent_h=0,
                )
                heard_s = now_s - int(silent.total_seconds())
                message = HealthMessage(1_000, 0, told)
                store.keep(message, heard_s, heard_s, missed=0, anew=False)
    return folder


def spent(folder: Path, name: str) -> tuple[float, float, int]:
    """CPU seconds of the step, the process's greatest memory in MB, bytes that it made."""
    words = [sys.executable, "-c", CHILD, str(folder), name]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    cpu_s, memory, size = done.stdout.split()
    return float(cpu_s), float(memory), int(size)


def measured(
    folders: dict[int, Path], rounds: int, console: Console
) -> dict[str, dict[str, Figures]]:
    """{step: {cameras: …}}; the cities take turns in each round."""
    found: dict[str, dict[int, list[tuple[float, float, int]]]] = {
        name: {cameras: [] for cameras in folders} for name in STEPS
    }
    for _ in track(range(rounds), "rounds", console=console, transient=True):
        for name in STEPS:
            for cameras, folder in folders.items():
                found[name][cameras].append(spent(folder, name))
    return {
        name: {
            str(cameras): {
                "cpu_s": round(median(one[0] for one in runs), 4),
                "memory_mb": round(median(one[1] for one in runs), 1),
                "bytes": runs[-1][2],
            }
            for cameras, runs in of.items()
        }
        for name, of in found.items()
    }


def lines(found: dict[str, dict[str, Figures]]) -> Iterator[str]:
    """For people: the smaller city, the larger one, and how much more that is."""
    for name, of in found.items():
        (small, one), (large, many) = of.items()
        ratio = many["cpu_s"] / max(one["cpu_s"], 0.0001)
        yield (
            f"{name:9} {small}: {one['cpu_s']:.3f} s, {one['memory_mb']:.0f} MB; "
            f"{large}: {many['cpu_s']:.3f} s, {many['memory_mb']:.0f} MB, {many['bytes']:,} bytes; "
            f"CPU × {ratio:.1f}"
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one line a step."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="5 by default")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="bench-fleet-") as work:
        folders = {number: city(Path(work) / str(number), number) for number in CITIES}
        found = measured(folders, asked.rounds, Console(stderr=True))
    if asked.json:
        print(json.dumps(found))
        return
    for line in lines(found):
        print(line)


if __name__ == "__main__":
    main()
