"""Prints what bench.stream measured: tables for people, JSON for programs; no text of any plate."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from rich.console import Console
from rich.table import Table

from bench.stream.boards import Estimate
from bench.stream.rounds import Cost
from bench.stream.stages import Count

FORMAT = 1
LIBRARIES = ("onnxruntime", "numpy", "opencv-python-headless")


@dataclass(frozen=True, slots=True)
class Results:
    """`costs`: by scene and system, ours first. `counts`: by stage; empty where none were counted.
    `here_gmacs`: this machine's speed at our detector, 10^9 multiply-accumulates a CPU second.
    """

    rounds: int
    seconds: float
    costs: Mapping[str, Mapping[str, Cost]]
    counts: Mapping[str, Count]
    here_gmacs: float
    boards: Sequence[Estimate]


def machine() -> dict[str, str]:
    """What ran it."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def ratio(costs: Mapping[str, Cost], name: str) -> float | None:
    """Ours over that system's, CPU."""
    theirs = costs[name].cpu_s_a_minute
    return costs["ours"].cpu_s_a_minute / theirs if theirs > 0 else None


def to_json(results: Results) -> str:
    """One object."""
    members = {
        "format": FORMAT,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "on": machine(),
        **asdict(results),
        "ours_over": {
            scene: {name: ratio(costs, name) for name in costs if name != "ours"}
            for scene, costs in results.costs.items()
        },
    }
    return json.dumps(members, indent=1)


def show(results: Results, console: Console) -> None:
    """Costs, ratios, instructions, boards."""
    console.print(", ".join(f"{name} {value}" for name, value in machine().items()))
    console.print(costs_table(results))
    if results.counts:
        console.print(counts_table(results.counts))
    console.print(boards_table(results))


def costs_table(results: Results) -> Table:
    """A row a scene and system."""
    table = Table(
        "scene", "system", "CPU s a minute", "ours ÷ it", "read exactly", "peak MB", "start CPU s"
    )
    table.title = f"{results.seconds:.0f} s of each scene, medians of {results.rounds} rounds"
    for scene, costs in results.costs.items():
        for name, cost in costs.items():
            over = ratio(costs, name)
            table.add_row(
                scene if name == "ours" else "",
                name,
                f"{cost.cpu_s_a_minute:.3f}",
                "" if name == "ours" or over is None else f"{over:.3f}",
                f"{cost.exact} of {cost.passes}",
                f"{cost.peak_mb:.0f}",
                f"{cost.start_cpu_s:.2f}",
            )
    return table


def counts_table(counts: Mapping[str, Count]) -> Table:
    """A row a stage."""
    table = Table("stage", "10^6 instructions", "spread")
    for name, count in counts.items():
        table.add_row(name, f"{count.instructions / 1e6:.3f}", f"{count.spread:.2%}")
    return table


def boards_table(results: Results) -> Table:
    """Our line on one core of each board, by scene."""
    table = Table("estimate, not measured", *results.costs)
    table.title = (
        "our CPU s a minute of video on one core of a board, by operation counts; "
        f"this machine does {results.here_gmacs:.1f} GMAC/s"
    )
    for board in results.boards:
        cells = []
        for costs in results.costs.values():
            spent = costs["ours"].cpu_s_a_minute
            low, high = spent * board.quick, spent * board.slow
            cells.append(f"{spent * board.likely:.1f} ({low:.1f}–{high:.1f})")
        table.add_row(board.board, *cells)
    return table
