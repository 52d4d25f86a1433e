"""Prints the figures: tables for people, one JSON object for machines."""

import json
import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from rich import box
from rich.console import Console
from rich.table import Table

from bench.intervals import Figure
from bench.parts import Part
from bench.summary import ALL, Accuracy, Ratio, Summary

FORMAT = 1  # of the JSON: docs/ref/bench.md


@dataclass(frozen=True, slots=True)
class Comparison:
    """Several systems over one benchmark folder, ours first."""

    images: int
    plates: int
    rounds: int
    systems: list[Summary]
    ratios: list[Ratio]


def to_json(parts: Sequence[Part], comparison: Comparison | None) -> str:
    """docs/ref/bench.md. What does not exist (an empty group's share) is null."""
    machine = {"machine": platform.machine(), "python": platform.python_version()} | {
        name: version(name) for name in ("onnxruntime", "numpy")
    }
    made = datetime.now(UTC).isoformat(timespec="seconds")
    whole = {
        "format": FORMAT,
        "made": made,
        "on": machine,
        "parts": [asdict(part) for part in parts],
        "comparison": asdict(comparison) if comparison else None,
    }
    return json.dumps(_finite(whole))


def _finite(value: object) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def print_part(console: Console, part: Part) -> None:
    """One row, as soon as it is known."""
    console.print(f"  {part.name:<34}{part.median_ms:8.2f}{part.slow_ms:8.2f}")


def print_comparison(console: Console, comparison: Comparison) -> None:
    """All tables, and what the figures do not say."""
    console.print(
        f"\n{comparison.images} pictures, {comparison.plates} plates, {comparison.rounds} rounds. "
        "Per cent, with 95 % intervals; a plate counts as found"
    )
    console.print(
        "from an overlap of 0.3 (recall also at 0.5); folded: O and Q count as 0, I as 1; extra: "
        "boxes at no labelled plate."
    )
    console.print(
        _accuracy_table("by region", "region", {s.name: s.regions for s in comparison.systems})
    )
    console.print(
        _accuracy_table(
            "by width of the plate", "width", {s.name: s.widths for s in comparison.systems}
        )
    )
    console.print(_calibration_table(comparison.systems))
    console.print(_cost_table(comparison.systems))
    for ratio in comparison.ratios:
        rounds = ", ".join(f"{one:.3f}" for one in ratio.by_round)
        console.print(
            f"CPU of {ratio.ours} over {ratio.theirs}: "
            f"{_plain(ratio.all_rounds)} (round by round: {rounds})"
        )
    for system in comparison.systems:
        if system.undecodable:
            console.print(
                f"{system.name}: {system.undecodable} pictures could not be decoded "
                "and count as missed; `platewarden read FOLDER` names them"
            )
        if system.unsteady:
            console.print(
                f"{system.name}: saw something else in {system.unsteady} pictures in a later round"
            )


def _accuracy_table(
    title: str, group_name: str, systems: dict[str, dict[str, list[Accuracy]]]
) -> Table:
    with_extra = group_name == "region"  # an extra box has no true width
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(group_name, no_wrap=True)
    table.add_column("system", no_wrap=True)
    for heading in (
        "plates",
        "recall 0.3",
        "recall 0.5",
        "exact",
        "folded",
        "characters",
        *(["extra"] if with_extra else []),
    ):
        table.add_column(heading, justify="right", no_wrap=True)
    for group in next(iter(systems.values())):
        for name, groups in systems.items():
            loose, tight = groups[group]
            figures = [loose.recall, tight.recall, loose.exact, loose.folded, loose.characters]
            extra = [f"{loose.extra_per_image:.2f}"] if with_extra else []
            table.add_row(group, name, str(loose.plates), *map(_per_cent, figures), *extra)
        table.add_section()
    return table


def _calibration_table(systems: Sequence[Summary]) -> Table:
    table = Table(
        title="does it mean what it says? (whole plate, folded)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("system", no_wrap=True)
    for heading in (
        "ECE, 15 bins of equal mass",
        "10 of equal width",
        "says ≥ 0.9",
        "of these wrong",
        "says ≥ 0.9 at no labelled plate",
    ):
        table.add_column(heading, justify="right")
    for system in systems:
        told = system.calibration
        errors = (f"{told.ece_equal_mass:.3f}", f"{told.ece_equal_width:.3f}")
        table.add_row(
            system.name,
            *errors,
            _per_cent(told.sure),
            _per_cent(told.sure_wrong),
            str(told.sure_extra),
        )
    return table


def _cost_table(systems: Sequence[Summary]) -> Table:
    table = Table(
        title="cost, one thread", title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("system", no_wrap=True)
    headings = (
        "CPU ms a picture (median)",
        "quartiles",
        *(f"{region}" for region in systems[0].cost.cpu_ms_by_region if region != ALL),
    )
    for heading in (
        *headings,
        "loading ms",
        "peak memory MB",
        "of it after Python and libraries",
        "weights MB",
    ):
        table.add_column(heading, justify="right")
    for system in systems:
        cost = system.cost
        low, high = cost.cpu_quartiles_ms
        regions = [f"{ms:.1f}" for region, ms in cost.cpu_ms_by_region.items() if region != ALL]
        memory = ["?" if mb is None else f"{mb:.0f}" for mb in (cost.peak_mb, cost.models_mb)]
        table.add_row(
            system.name,
            _plain(cost.cpu_ms, 1),
            f"{low:.1f}–{high:.1f}",
            *regions,
            f"{cost.load_ms:.0f}",
            *memory,
            f"{cost.weights_bytes / 1e6:.2f}",
        )
    return table


def _per_cent(figure: Figure) -> str:
    return (
        f"{figure.value:.1%} ({figure.low:.0%}–{figure.high:.0%})".replace("%", "")
        if figure.of
        else "–"
    )


def _plain(figure: Figure, places: int = 3) -> str:
    return f"{figure.value:.{places}f} ({figure.low:.{places}f}–{figure.high:.{places}f})"
