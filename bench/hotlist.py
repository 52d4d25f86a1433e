"""What a hot list of millions costs on this machine: `python -m bench.hotlist`.

Import, start of watch, memory, one match (docs/ref/hotlist.md).

The list is made up: random texts of US shapes, in a temporary folder that is removed. Times are
wall clock; CPU time stands beside it, because a busy machine stretches the former.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, median, quantiles
from typing import TYPE_CHECKING

from agent.core.hotlist.confusion import CONFUSABLE_GROUPS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.core.hotlist.index import HotList
    from agent.core.reading.sighting import Sighting

CHARTER = """name = "Bench charter"
forbidden_recipients = []
forbidden_purposes = []
allowed_categories = ["stolen-vehicle", "stolen-plate", "missing-person", "amber-alert"]
max_retention = "21d"
"""
SHAPES = ("DLLLDDD", "LLLDDDD", "DDDLLL", "LLLDDD", "LDDDDDD")
DIGITS, LETTERS = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
SEEN = 4000
LISTED = SEEN // 200  # of traffic: the most that cities published, 0.5 %


def main() -> None:
    """Parent: makes the list, imports it with the ordinary command, measures each part in a process
    of its own.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.hotlist", description=__doc__)
    parser.add_argument("--entries", type=int, default=2_000_000, metavar="N")
    parser.add_argument(
        "--rounds",
        type=int,
        default=3,
        metavar="N",
        help="imports and starts, each in a fresh process (3)",
    )
    parser.add_argument("--json", action="store_true", help="the figures as one JSON object")
    parser.add_argument(
        "--beside",
        type=Path,
        metavar="FOLDER",
        help="another checkout, whose import is timed in turn with this one's",
    )
    parser.add_argument("--match", type=Path, help=argparse.SUPPRESS)  # the child
    options = parser.parse_args()
    if options.match:
        print(json.dumps(match_in(options.match)))
        return
    with tempfile.TemporaryDirectory(prefix="platewarden-bench-") as made:
        figures = measured(Path(made), options.entries, options.rounds, options.beside)
    print(
        json.dumps(figures)
        if options.json
        else "\n".join(f"{name:<32}{value:>12}" for name, value in figures.items())
    )


def measured(folder: Path, entries: int, rounds: int, beside: Path | None) -> dict[str, float]:
    """Makes a list of so many entries in the folder; imports it and starts with it, in rounds.

    `beside`: another checkout, which imports it into a city of its own in the same rounds.
    """
    given, city = folder / "list.csv", folder / "city"
    write_list(given, entries)
    imports, others = [], []
    for _ in range(rounds):
        imports.append(imported(given, city))
        if beside:
            others.append(imported(given, folder / "city-beside", beside))
    starts = [json.loads(timed("bench.hotlist", "--match", str(city))[2]) for _ in range(rounds)]
    return {
        "entries": json.loads(imports[0][2])["entries"],
        "csv_mb": megabytes(given.stat().st_size),
        "file_mb": megabytes((folder / f"{city.name}-hotlist/hotlist.bin").stat().st_size),
        "import_wall_s": round(median(wall for wall, _, _ in imports), 1),
        "import_cpu_s": round(median(cpu for _, cpu, _ in imports), 1),
        **{name: round(median(start[name] for start in starts), 2) for name in starts[0]},
        **compared([cpu for _, cpu, _ in imports], [cpu for _, cpu, _ in others]),
        "load_average": round(os.getloadavg()[0], 1),
    }


def compared(ours: list[float], others: list[float]) -> dict[str, float]:
    """CPU time beside the other checkout's: the median, and ours as a multiple of it."""
    if not others:
        return {}
    beside = median(others)
    return {
        "import_beside_cpu_s": round(beside, 1),
        "import_ratio": round(median(ours) / beside, 2),
    }


def imported(given: Path, city: Path, checkout: Path | None = None) -> tuple[float, float, str]:
    """One import into a city that holds nothing yet, or the same list."""
    city.mkdir(exist_ok=True)
    (city / "charter.toml").write_text(CHARTER, encoding="utf-8")
    command = ("agent", "hotlist", "import", str(given), "--city", str(city), "--json")
    return timed(*command, checkout=checkout)


def timed(*module: str, checkout: Path | None = None) -> tuple[float, float, str]:
    """Wall and CPU seconds of `python -m …`, and what it printed; `checkout`: where from."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *module],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=checkout,
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def match_in(city: Path) -> dict[str, float]:
    """Child: what the list adds to the process, and how long one match takes.

    Sightings with 8 alternatives, as the vote gives at most.
    """
    # Imported here, because its own memory counts only once it is measured.
    from agent.bundles.hotlist_file import read_hotlist  # noqa: PLC0415
    from agent.core.hotlist.matching import match  # noqa: PLC0415

    now = datetime.now(UTC)
    watch_without = status_mb("VmRSS")
    began = time.perf_counter()
    listed = read_hotlist(
        city, now.date(), {"stolen-vehicle", "stolen-plate", "missing-person", "amber-alert"}
    )
    start_s = time.perf_counter() - began
    figures = {
        "start_s": start_s,
        "memory_mb": status_mb("VmRSS") - watch_without,
        "memory_peak_mb": status_mb("VmHWM") - watch_without,
    }
    index = listed.indexes[0]
    chance = random.Random(2)
    hits = [index.entry(index.row(chance.randrange(len(index)))).plate.value for _ in range(SEEN)]
    misses = [text(chance) for _ in range(SEEN)]
    alike = [look_alike(one, chance) for one in hits if set(one) & set("".join(CONFUSABLE_GROUPS))]
    cases = [
        ("unlisted", misses, 0),
        ("unlisted_8_alternatives", misses, 8),
        ("listed", hits, 0),
        ("listed_8_alternatives", hits, 8),
    ]
    cases += [
        ("look_alike_8_alternatives", alike, 8),
        ("traffic_8_alternatives", [*misses[:-LISTED], *hits[:LISTED]], 8),
    ]
    for name, texts, alternatives in cases:
        # Each sighting is just made, as by the vote: its parts are at hand.
        times = taken_us(match, (seen(one, alternatives, chance, now) for one in texts), listed)
        figures |= {
            f"{name}_mean_us": mean(times),
            f"{name}_median_us": median(times),
            f"{name}_p95_us": quantiles(times, n=20)[-1],
        }
    return figures


def taken_us(
    match: Callable[[Sighting, HotList], object], sightings: Iterable[Sighting], listed: HotList
) -> list[float]:
    """How long each match takes, without the making of its sighting."""
    times = []
    for sighting in sightings:
        began = time.perf_counter_ns()
        match(sighting, listed)
        times.append((time.perf_counter_ns() - began) / 1000)
    return times


def look_alike(plate: str, chance: random.Random) -> str:
    """The text with one confusable character replaced by another of its group."""
    place = chance.choice(
        [at for at, one in enumerate(plate) if any(one in group for group in CONFUSABLE_GROUPS)]
    )
    group = next(group for group in CONFUSABLE_GROUPS if plate[place] in group)
    return plate[:place] + chance.choice(group.replace(plate[place], "")) + plate[place + 1 :]


def seen(plate: str, alternatives: int, chance: random.Random, now: datetime):
    """A sighting, whose alternatives differ from it in one place each."""
    import numpy as np  # noqa: PLC0415

    from agent.core.reading.plate_text import PlateText  # noqa: PLC0415
    from agent.core.reading.sighting import Alternative, Sighting  # noqa: PLC0415
    from agent.core.time.instant import Instant  # noqa: PLC0415

    others: dict[str, Alternative] = {}
    while len(others) < alternatives:
        place = chance.randrange(len(plate))
        other = (
            plate[:place]
            + chance.choice((DIGITS + LETTERS).replace(plate[place], ""))
            + plate[place + 1 :]
        )
        others[other] = Alternative(PlateText(other), 0.05)
    return Sighting(
        text=PlateText(plate),
        confidence=0.9,
        char_confidence=(0.98,) * len(plate),
        alternatives=tuple(others.values()),
        region="us",
        state=None,
        crop=np.zeros((1, 1, 3), np.uint8),
        captured=Instant(now),
        camera="bench",
        frames=5,
    )


def write_list(path: Path, entries: int) -> None:
    """A list of made-up texts, 60 states and agencies each, a case for every row."""
    chance, today = random.Random(1), datetime.now(UTC).date()
    states = [f"US-{code}" for code in ("CA", "NV", "OR", "AZ", "WA", "TX", "NY", "FL", "CO", "MT")]
    categories = ("stolen-vehicle",) * 6 + ("stolen-plate",) * 3 + ("missing-person",)
    dates = [(today - timedelta(days=day), today + timedelta(days=30 + day)) for day in range(300)]
    with path.open("w", encoding="ascii") as file:
        file.write("plate,state,category,agency,case,source_date,expires\n")
        for number in range(entries):
            reported, expires = chance.choice(dates)
            agency = f"Example County {chance.randrange(1000)}"
            file.write(
                f"{text(chance)},{chance.choice(states)},{chance.choice(categories)},{agency},"
                f"EX-2026-{number:07},{reported},{expires}\n"
            )


def text(chance: random.Random) -> str:
    """A made-up plate text."""
    return "".join(
        chance.choice(DIGITS if kind == "D" else LETTERS) for kind in chance.choice(SHAPES)
    )


def status_mb(field: str) -> float:
    """A line of /proc/self/status, in MB (10^6 bytes)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024 / 1e6


def megabytes(size: int) -> float:
    """In 10^6 bytes."""
    return round(size / 1e6, 1)


if __name__ == "__main__":
    main()
