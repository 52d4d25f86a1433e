"""What opening a hot list costs one camera, by the number of cameras in the city, beside an older
build: `python -m bench.hotlist_opening` (docs/ref/bench.md).

Each build opens a list as its own city would seal it, in a fresh process, in turn. CPU time of the
opening alone; each figure is the median over the rounds.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING

import pyrage

from agent.bundles.layout import HOTLIST_PATH, city_file, group_path
from agent.city.hotlist_ciphertexts import seal
from agent.city.hotlist_kept import Cameras
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.errors import PlatewardenError
from bench.one_run import report_beside_base
from bench.stream.builds import ROOT, base_options

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

HEADER = b"plate,state,category,agency,case,source_date,expires\n"
CITIES, OLD_CITY = (10, 1_000, 10_000), 1_000
OWN = "camera-0"
CHILD = """
import datetime, inspect, sys, time
from pathlib import Path
import pyrage
from agent.bundles.hotlist_sealed import open_hotlist
now = datetime.datetime.now(datetime.timezone.utc)
own = pyrage.x25519.Identity.from_str(Path(sys.argv[2]).read_text())
words = [Path(sys.argv[1]), own, now.date(), ["stolen-vehicle"], datetime.timedelta(30)]
words.append(now + datetime.timedelta(1))
if "rules" in inspect.signature(open_hotlist).parameters:
    from agent.core.policy.schema.hotlist_rules import HotlistRules
    words.append(HotlistRules())
spent = []
for _ in range(int(sys.argv[3])):
    begun = time.process_time()
    open_hotlist(*words)
    spent.append(time.process_time() - begun)
print(sorted(spent)[len(spent) // 2])
"""
"""What a fresh process of either build does; the older one's knows no charter's rules."""


def plain_list(entries: int, begin: int = 0) -> bytes:
    """A made-up list in its compiled form: so many entries, from that number on."""
    now = datetime.now(UTC)
    since, until = now.date() - timedelta(days=1), now.date() + timedelta(days=30)
    rows = (
        f"{n % 10}BNC{n:05d},US-CA,stolen-vehicle,Bench PD,B-{n},{since},{until}\n".encode()
        for n in range(begin, begin + entries)
    )
    return import_list(Source([HEADER, *rows], "bench", now), None, now.date()).encoded()


def sealed_for(number: int, plain: bytes, own: str) -> dict[str, bytes]:
    """What camera 0 of so many fetches of the list."""
    age = {
        f"camera-{n}": str(pyrage.x25519.Identity.generate().to_public()) for n in range(1, number)
    }
    made = seal({HOTLIST_PATH: plain}, Cameras({OWN: own, **age}, grouped=True))
    return {path: made.new[path] for path in (HOTLIST_PATH, group_path(OWN))}


def written(folder: Path, files: dict[str, bytes]) -> int:
    """As a generation holds them; their bytes in all."""
    for path, data in files.items():
        place = folder / city_file(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return sum(map(len, files.values()))


def opening_s(build: Path, folder: Path, key: Path, times: int) -> float:
    """CPU seconds of one opening by that build, with this Python: the median of `times`."""
    words = [sys.executable, "-c", CHILD, str(folder), str(key), str(times)]
    environment = {**os.environ, "PYTHONPATH": str(build)}
    done = subprocess.run(
        words, cwd=build, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise PlatewardenError(f"opening ended with {done.returncode}", where=build)
    return float(done.stdout)


def measured(options: argparse.Namespace, folder: Path, base: Path | None) -> dict[str, object]:
    """All figures."""
    own = pyrage.x25519.Identity.generate()
    key, plain = folder / "key", plain_list(options.entries)
    key.write_text(str(own))
    fetched, sealing = {}, {}
    for number in CITIES:
        begun = time.process_time()
        files = sealed_for(number, plain, str(own.to_public()))
        sealing[number] = round(time.process_time() - begun, 2)
        fetched[number] = written(folder / str(number), files)
    if base:
        many = [pyrage.x25519.Identity.generate().to_public() for _ in range(OLD_CITY - 1)]
        old = {HOTLIST_PATH: bytes(pyrage.encrypt(plain, [*many, own.to_public()]))}
        fetched[f"base {OLD_CITY}"] = written(folder / "base", old)
    spent: dict[str, list[float]] = {str(number): [] for number in CITIES}
    before: list[float] = []
    for _ in range(options.rounds):
        for number in CITIES:
            spent[str(number)].append(opening_s(ROOT, folder / str(number), key, options.times))
        if base:
            before.append(opening_s(base, folder / "base", key, 1))
    found: dict[str, object] = {
        "entries": options.entries,
        "fetched_bytes": fetched,
        "keys_and_sealing_cpu_s": sealing,
        "opening_cpu_ms": {name: round(1e3 * median(each), 2) for name, each in spent.items()},
    }
    middles = [median(each) for each in spent.values()]
    found["most_by_least"] = round(max(middles) / min(middles), 3)
    if before:
        found["base_opening_cpu_ms"] = round(1e3 * median(before))
        found["base_by_most"] = round(median(before) / max(middles))
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    parser = argparse.ArgumentParser(prog="python -m bench.hotlist_opening", description=__doc__)
    parser.add_argument("--entries", type=int, default=1_000, metavar="N", help="(1,000)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="A B A B is two (3)")
    parser.add_argument("--times", type=int, default=21, metavar="N", help="openings a round (21)")
    base_options(parser)
    options = parser.parse_args(arguments)
    if min(options.entries, options.rounds, options.times) < 1:
        parser.error("--entries, --rounds and --times start at 1")
    report_beside_base(measured, options)


if __name__ == "__main__":
    main()
