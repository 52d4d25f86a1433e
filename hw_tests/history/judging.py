"""Compares last night with the nights before: what fails now and since when, what is a flake, which
figures moved.

Values in, values out.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from hw_tests.history.record import Outcome, Run

BAD = ("failed", "error")
MOVED = 0.15  # a figure this far from the median of the nights before is pointed out
ENOUGH = 3  # nights before that make a median


@dataclass(frozen=True, slots=True)
class Failing:
    """A test that fails in the newest run.

    `last_passed`: the newest run in which it did, None: in no record. `since`: the first of this
    row of failures.
    """

    outcome: Outcome
    last_passed: Run | None
    since: Run
    flaky: bool


@dataclass(frozen=True, slots=True)
class Series:
    """One figure over all runs.

    `simulated`: the newest value was played. `values`: (index of the run, value). `moved`: newest
    against the median before, as a share; None: too few, or none.
    """

    name: str
    unit: str
    values: tuple[tuple[int, float], ...]
    moved: float | None
    simulated: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """All nights of one environment, oldest first.

    `grid`: test → outcome in each run, None where it did not run. `fixed`: failed the run before,
    pass now. `gone`: passed in the run before and did not run now, or only skipped: nobody may
    mistake that for well.
    """

    runs: tuple[Run, ...]
    grid: dict[str, tuple[Outcome | None, ...]]
    failing: tuple[Failing, ...]
    flaky: frozenset[str]
    fixed: tuple[str, ...]
    gone: tuple[str, ...]
    series: tuple[Series, ...]


def by_environment(runs: Sequence[Run]) -> dict[str, list[Run]]:
    """Nights of a simulated rig and of a Pi are never compared with each other; nor are two
    sensors.
    """
    found: dict[str, list[Run]] = defaultdict(list)
    for run in sorted(runs, key=lambda one: one.at):
        found[f"{run.where['environment']} · {run.where['sensor']}"].append(run)
    return dict(found)


def compare(runs: Sequence[Run]) -> Comparison:
    """At least one run, oldest first, all of one environment."""
    tables = [{one.test: one for one in run.tests} for run in runs]
    names = sorted({name for table in tables for name in table})
    grid = {name: tuple(table.get(name) for table in tables) for name in names}
    flaky = frozenset(name for name in names if is_flaky(runs, grid[name]))
    failing = tuple(
        _failing(runs, grid[name], flaky=name in flaky) for name in names if _bad(grid[name][-1])
    )
    before = [row[-2] if len(row) > 1 else None for row in grid.values()]
    fixed = tuple(
        name
        for name, earlier in zip(names, before, strict=True)
        if _bad(earlier) and _good(grid[name][-1])
    )
    gone = tuple(
        name
        for name, earlier in zip(names, before, strict=True)
        if _good(earlier) and not _good(grid[name][-1]) and not _bad(grid[name][-1])
    )
    return Comparison(tuple(runs), grid, failing, flaky, fixed, gone, tuple(_series(runs)))


def is_flaky(runs: Sequence[Run], row: Sequence[Outcome | None]) -> bool:
    """Passed and failed with the very same software: then the test, the rig or a race is to blame,
    not a change.
    """
    said: dict[tuple[str, ...], set[bool]] = defaultdict(set)
    for run, one in zip(runs, row, strict=True):
        if _good(one) or _bad(one):
            said[run.software].add(_good(one))
    return any(len(answers) == 2 for answers in said.values())


def _failing(runs: Sequence[Run], row: Sequence[Outcome | None], *, flaky: bool) -> Failing:
    newest = row[-1]
    assert newest is not None
    since, last_passed = runs[-1], None
    for run, one in zip(reversed(runs), reversed(row), strict=True):
        if _bad(one):
            since = run
        elif _good(one):
            last_passed = run
            break
    return Failing(newest, last_passed, since, flaky)


def _series(runs: Sequence[Run]) -> list[Series]:
    found: dict[tuple[str, str], list[tuple[int, float]]] = defaultdict(list)
    played: dict[tuple[str, str], bool] = {}
    for index, run in enumerate(runs):
        for figure in run.figures:
            played[figure.name, figure.unit] = figure.simulated
            found[figure.name, figure.unit].append((index, figure.value))
    return [
        Series(name, unit, tuple(values), _moved(values, len(runs) - 1), played[name, unit])
        for (name, unit), values in sorted(found.items())
    ]


def _moved(values: Sequence[tuple[int, float]], newest: int) -> float | None:
    before = [value for index, value in values if index != newest]
    now = [value for index, value in values if index == newest]
    if not now or len(before) < ENOUGH or not (middle := median(before)):
        return None
    share = now[-1] / middle - 1
    return share if abs(share) >= MOVED else None


def _bad(one: Outcome | None) -> bool:
    return one is not None and one.outcome in BAD


def _good(one: Outcome | None) -> bool:
    return one is not None and one.outcome == "passed"
