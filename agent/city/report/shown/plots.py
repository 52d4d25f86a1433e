"""Bars as inline SVG, drawn from the bands that the tables tell and from nothing else."""

from collections.abc import Mapping
from html import escape

from agent.city.report.bands import NOTHING, Band
from agent.city.report.report_tables import Table

WIDTH, ROW, LABEL, NUMBER = 480, 26, 130, 130
MOST_BARS = 60


def summed(table: Table, column: str) -> dict[str, Band]:
    """A table's bands by month, or by camera where there is one month: what is known of each sum by
    its parts alone.
    """
    months = {row[table.columns.index("month")] for row in table.rows}
    by = table.columns.index("month" if len(months) > 1 else "camera")
    value = table.columns.index(column)
    found: dict[str, Band] = {}
    for row in table.rows:
        cell, name = row[value], str(row[by])
        if isinstance(cell, Band):
            found[name] = found.get(name, NOTHING) + cell
    return dict(sorted(found.items()))


def bars(title: str, numbers: Mapping[str, Band]) -> str:
    """One bar a row: dark up to what is certain, light up to what is possible."""
    shown = list(numbers.items())[:MOST_BARS]
    if not shown:
        return ""
    most = max(one.at_most for _, one in shown) or 1
    height = ROW * len(shown) + 6
    told = "; ".join(f"{name}: {one}" for name, one in shown)
    opening = (
        f'<figure><figcaption>{escape(title)}</figcaption><svg viewBox="0 0 {WIDTH} {height}" '
        f'role="img" aria-label="{escape(f"{title}: {told}")}">'
    )
    parts = [opening]
    for number, (name, one) in enumerate(shown):
        top, room = number * ROW + 4, WIDTH - LABEL - NUMBER
        sure, possible = (max(1, n * room // most) if n else 0 for n in (one.at_least, one.at_most))
        parts.append(
            f'<text x="0" y="{top + 15}">{escape(name)}</text>'
            f'<rect class="possible" x="{LABEL}" y="{top}" width="{possible}" height="18"/>'
            f'<rect class="sure" x="{LABEL}" y="{top}" width="{sure}" height="18"/>'
            f'<text x="{LABEL + possible + 8}" y="{top + 15}">{escape(str(one))}</text>'
        )
    return "".join(parts) + "</svg></figure>\n"
