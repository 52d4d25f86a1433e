"""All nights as one offline page: what failed last night and when it last passed, what moved, and
the grid of tests and nights.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from hw_tests.history.judging import Comparison, Failing, Series, by_environment, compare
from hw_tests.history.plots import plot
from hw_tests.history.record import Outcome, Run, read_all

NIGHTS = 30  # the newest ones; the records stay
SIGNS = {"passed": "●", "failed": "✕", "error": "✕", "skipped": "–"}
STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def write(folder: Path, path: Path) -> None:
    """The page over every record of `folder`, replaced whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(page(*read_all(folder)), encoding="utf-8")
    part.replace(path)


def page(runs: list[Run], faults: list[str]) -> str:
    """No script, nothing from elsewhere; every word of a record is escaped.

    The environment that ran last comes first.
    """
    groups = sorted(by_environment(runs).items(), key=lambda group: group[1][-1].at, reverse=True)
    told = "".join(
        (
            '<div class="card fault"><span class="name">A record that cannot be read</span>'
            f"<p>{escape(fault)}</p></div>"
        )
        for fault in faults
    )
    body = "".join(section(name, compare(nights[-NIGHTS:])) for name, nights in groups)
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        "<title>Platewarden: nights on the rig</title>"
        f"<style>{STYLE.read_text(encoding='utf-8')}</style></head><body>"
        "<h1>Nights on the rig</h1><p>Times are UTC. Figures and messages hold no plate.</p>"
        f"{told}{body or '<p>No run is recorded yet.</p>'}</body></html>\n"
    )


def section(name: str, comparison: Comparison) -> str:
    """One environment."""
    run = comparison.runs[-1]
    count = {
        outcome: sum(one.outcome == outcome for one in run.tests)
        for outcome in ("passed", "skipped")
    }
    failed = len(comparison.failing)
    verdict = (
        f'<span class="verdict bad">{failed} failed</span>'
        if failed
        else '<span class="verdict">all that ran passed</span>'
    )
    return (
        f"<h2>{escape(name)}</h2>"
        f"<p>{verdict} &nbsp; last run {stamp(run)}: "
        f"{count['passed']} passed, {count['skipped']} skipped</p>"
        f"{''.join(card(one) for one in comparison.failing)}{changes(comparison)}{facts(run)}"
        f"{plots(comparison)}{grid(comparison)}{skips(run)}"
    )


def card(failing: Failing) -> str:
    """What failed, what it said, when it last passed: the three things a person wants first."""
    flake = (
        ' <span class="mark">flake: passed and failed on the same software</span>'
        if failing.flaky
        else ""
    )
    passed = (
        (
            f"last passed {stamp(failing.last_passed)}, "
            f"commit {escape(failing.last_passed.where['commit'])}"
        )
        if failing.last_passed
        else "never passed here"
    )
    since = f"failing since {stamp(failing.since)}, commit {escape(failing.since.where['commit'])}"
    message = escape(failing.outcome.message) or "no message"
    return (
        f'<div class="card"><span class="name">{escape(failing.outcome.test)}</span>'
        f"{flake}<pre>{message}</pre><p>{passed} · {since}</p></div>"
    )


def changes(comparison: Comparison) -> str:
    """Mended, vanished, moved."""
    quiet = sorted(comparison.flaky - {one.outcome.test for one in comparison.failing})
    lines = [
        f"<li>mended since the run before: <code>{escape(name)}</code></li>"
        for name in comparison.fixed
        if name not in quiet
    ]
    lines += [
        (
            "<li>passed in the run before, <b>not run</b>"
            f" in the last: <code>{escape(name)}</code></li>"
        )
        for name in comparison.gone
    ]
    lines += [
        f"<li>{escape(one.name)}: {one.moved:+.0%} against the median of the nights before</li>"
        for one in comparison.series
        if one.moved is not None
    ]
    lines += [
        (
            f'<li><span class="mark">flake</span> <code>{escape(name)}</code>'
            " passes now, and failed before on the same software</li>"
        )
        for name in quiet
    ]
    return f"<h3>What changed</h3><ul>{''.join(lines)}</ul>" if lines else ""


def facts(run: Run) -> str:
    """What ran last."""
    told = {**run.where, **{f"model {name}": value for name, value in run.models.items()}}
    rows = "".join(
        f"<div><b>{escape(key)}</b> {escape(value)}</div>" for key, value in sorted(told.items())
    )
    return f'<div class="facts">{rows}</div>'


def plots(comparison: Comparison) -> str:
    """Every figure over the nights."""
    drawn = "".join(_plot(series, len(comparison.runs)) for series in comparison.series)
    return f'<h3>Figures, newest right</h3><div class="plots">{drawn}</div>' if drawn else ""


def grid(comparison: Comparison) -> str:
    """Tests down, nights across; the newest first, tinted: a phone shows it without scrolling.

    What fails comes first, then flakes, then what ran, then what never does here.
    """
    failing = {one.outcome.test for one in comparison.failing}

    def rank(name: str) -> tuple[int, str]:
        ran = any(one is not None and one.outcome != "skipped" for one in comparison.grid[name])
        return (0 if name in failing else 1 if name in comparison.flaky else 2 if ran else 3), name

    heads = "".join(
        f'<th title="{escape(run.where["commit"])}">{run.at:%d.%m.}<br>{run.at:%H:%M}</th>'
        for run in reversed(comparison.runs)
    )
    rows = "".join(
        _row(name, comparison.grid[name], flaky=name in comparison.flaky)
        for name in sorted(comparison.grid, key=rank)
    )
    return (
        '<h3>Tests and nights, newest first</h3><div class="wide"><table><tr><th>test</th>'
        f"{heads}</tr>{rows}</table></div>"
    )


def skips(run: Run) -> str:
    """What was not tried, and why."""
    lines = "".join(
        f"<li><code>{escape(one.test)}</code>: {escape(one.message)}</li>"
        for one in run.tests
        if one.outcome == "skipped"
    )
    return f"<h3>Not tried in the last run, and why</h3><ul>{lines}</ul>" if lines else ""


def plain(name: str) -> str:
    """`test_heat.py::test_the_rate_holds` → `heat: the rate holds`, for a narrow column; the full
    name is its title.
    """
    file, _, test = name.partition("::")
    words = test.replace("::", " ").replace("test_", "").replace("_", " ")
    return f"{file.removeprefix('test_').removesuffix('.py')}: {words}" if test else name


def stamp(run: Run) -> str:
    """Day and minute."""
    return f"{run.at:%Y-%m-%d %H:%M}"


def _row(name: str, outcomes: Sequence[Outcome | None], *, flaky: bool) -> str:
    mark = " <span class=mark>flake</span>" if flaky else ""
    cells = "".join(map(_cell, reversed(outcomes)))
    return f'<tr><td title="{escape(name)}">{escape(plain(name))}{mark}</td>{cells}</tr>'


def _row(name: str, outcomes: Sequence[Outcome | None], *, flaky: bool) -> str:
    mark = " <span class=mark>flake</span>" if flaky else ""
    cells = "".join(map(_cell, reversed(outcomes)))
    return f'<tr><td title="{escape(name)}">{escape(plain(name))}{mark}</td>{cells}</tr>'


def _cell(one: Outcome | None) -> str:
    if one is None:
        return '<td class="none">·</td>'
    title = f"{escape(one.outcome)} in {one.seconds:.1f} s. {escape(one.message)}"
    return f'<td class="{one.outcome}" title="{title}">{SIGNS[one.outcome]}</td>'


def _plot(series: Series, nights: int) -> str:
    value = f"<b>{series.values[-1][1]:.4g}</b> {escape(series.unit)}"
    if series.simulated:
        value += ' <span class="mark">simulated</span>'
    moved = " moved" if series.moved is not None else ""
    return (
        f'<div class="plot{moved}"><div class="title"><span>{escape(series.name)}</span>'
        f"<span>{value}</span></div>{plot(series, nights)}</div>"
    )
