"""A report as one HTML file: no script, no request, and it prints well."""

import json
import re
from html import escape
from importlib.resources import files

from agent.city.report.bands import Band, Cell
from agent.city.report.report_tables import Report, Table
from agent.city.report.shown.forms import head
from agent.city.report.shown.plots import bars, summed
from agent.core.text.visible import visible

META = "platewarden-report"
LONG = 40  # characters without a space, such as a hash
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_PLOTS = {
    "cameras": ("vehicles", "Vehicles counted"),
    "releases": ("released", "Readings released"),
}
_LEDE = (
    "This is made from the city's signed archive and from its cameras' verified logs, and from "
    "nothing else. Numbers of vehicles and readings are given in fives (1–4, 5–9, 10–14), so that "
    "no vehicle is singled out. 0 is 0."
)
_AGAIN = (
    "Whoever has the public files makes the same page, byte for byte: "
    "platewarden report --verify FILE --city CITY LOGS"
)


def as_html(report: Report) -> bytes:
    """The page."""
    style = (files("agent.city.report.shown") / "report.css").read_text(encoding="utf-8")
    title = f"{report.name}: licence plate cameras, {report.period.plain}"
    parts = [_opening(report, title, style)]
    parts += [f'<p class="said">{_safe(one)}</p>\n' for one in report.said]
    parts.append(_contents(report))
    parts += [_section(one) for one in report.tables]
    parts.append(
        '<section id="made-of"><h2>How to check this page</h2>\n'
        f"<p>{_safe(_AGAIN)}</p>\n<p>Last publication: {report.publish}. SHA-256 of the city's "
        f"first root: <code>{_safe(report.first_root)}</code></p></section>\n"
        "</main></body></html>\n"
    )
    return "".join(parts).encode()


def _opening(report: Report, title: str, style: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\">\n"
        f'<meta name="{META}" content="{_safe(_head_of(report))}">\n'
        f"<title>{_safe(title)}</title>\n<style>{style}</style></head>\n<body><main>\n"
        f"<h1>{_safe(title)}</h1>\n<p>{_safe(_LEDE)}</p>\n"
    )


def _head_of(report: Report) -> str:
    return json.dumps(head(report), ensure_ascii=True, sort_keys=True, separators=(",", ":"))


def _contents(report: Report) -> str:
    links = "".join(
        f'<li><a href="#{one.code}">{_safe(one.title)}</a></li>' for one in report.tables
    )
    return f'<nav aria-label="Contents"><ul>{links}</ul></nav>\n'


def _section(table: Table) -> str:
    told = f'<section id="{table.code}"><h2>{_safe(table.title)}</h2>\n<p>{_safe(table.says)}</p>\n'
    if not table.rows:
        return f"{told}<p><b>{_safe(table.empty)}</b></p></section>\n"
    plot = ""
    if table.code in _PLOTS:
        column, title = _PLOTS[table.code]
        plot = bars(title, summed(table, column))
    heads = "".join(f'<th scope="col">{_safe(name)}</th>' for name in table.columns)
    rows = "".join(f"<tr>{''.join(map(_cell, row, table.columns))}</tr>\n" for row in table.rows)
    return (
        f'{told}{plot}<div class="wide" role="region" tabindex="0" '
        f'aria-label="{_safe(table.title)}"><table><thead><tr>{heads}</tr></thead>\n'
        f"<tbody>\n{rows}</tbody></table></div></section>\n"
    )


def _cell(cell: Cell, column: str) -> str:
    """`column`: shown beside the cell where a phone stacks them."""
    text, style = str(cell), ""
    if isinstance(cell, int | Band):
        text, style = f"{cell:,}" if isinstance(cell, int) else str(cell), ' class="number"'
    elif _TIME.fullmatch(cell):
        text = f"{cell[:10]} {cell[11:16]} UTC"
    elif len(cell) >= LONG and " " not in cell:
        style = ' class="long"'
    return f'<td{style} data-label="{_safe(column)}">{_safe(text)}</td>'


def _safe(text: str) -> str:
    return escape(visible(text))
