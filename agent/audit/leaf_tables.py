"""Leaves as text, CSV, JSON and one HTML file, for `audit show`."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from html import escape

from agent.audit.log_report import LogReport
from agent.audit.shown_leaves import ShownLeaf, told_details
from agent.core.text.visible import visible

COLUMNS = ("recipient", "rule", "category", "outcome", "reason", "read")
HEAD = ("at", "camera", "process", "leaf", "kind", *COLUMNS, "in doubt", "details")
# What a spreadsheet would run as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_STYLE = (
    "body{font:16px/1.4 sans-serif;margin:1rem;color:#111;background:#fff}"
    "table{border-collapse:collapse;font-size:.85rem}caption{text-align:left;padding:.5rem 0}"
    "th,td{border:1px solid #767676;padding:.2rem .4rem;text-align:left;vertical-align:top;"
    "overflow-wrap:anywhere}thead th{background:#eee}.bad{font-weight:bold;color:#8b0000}"
    ".wide{overflow-x:auto}@media print{.wide{overflow:visible}table{font-size:7pt}}"
)


def as_lines(leaves: Iterable[ShownLeaf]) -> Iterator[str]:
    """One line a leaf."""
    for leaf in leaves:
        said = " ".join(f"{name}={value}" for name, value in told_details(leaf).items())
        doubt = f" IN DOUBT [{leaf.doubt}]" if leaf.doubt else ""
        where = f"{leaf.camera}/{leaf.process} {leaf.number}"
        yield f"{leaf.at or '-':<24} {where} {leaf.kind}{doubt} {said}".rstrip()


def as_values(leaf: ShownLeaf) -> dict[str, object]:
    """One leaf of `--json`."""
    return {
        "origin": leaf.origin,
        "camera": leaf.camera,
        "process": leaf.process,
        "leaf": leaf.number,
        "at": leaf.at,
        "kind": leaf.kind,
        "in_doubt": leaf.doubt,
        "details": dict(leaf.details),
    }


def as_csv(leaves: Iterable[ShownLeaf]) -> Iterator[str]:
    """A head and one row a leaf, as RFC 4180 has them."""
    yield _csv_row(HEAD)
    for leaf in leaves:
        yield _csv_row([no_formula(cell) for cell in _cells(leaf)])


def as_html(leaves: Iterable[ShownLeaf], reports: Sequence[LogReport], asked: str) -> Iterator[str]:
    """One file without any request to elsewhere; a piece at a time."""
    yield (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; style-src '
        "'unsafe-inline'\"><title>Leaves of audit logs</title>"
        f"<style>{_STYLE}</style></head><body><main><h1>Leaves of audit logs</h1>\n<ul>\n"
    )
    for report in reports:
        bad = ' class="bad"' if report.verdict.exit_code else ""
        told = f"{report.origin}: {report.verdict.value}, {report.leaves} leaves"
        yield f"<li{bad}>{_safe(told)}</li>\n"
    heads = "".join(f'<th scope="col">{_safe(name)}</th>' for name in HEAD)
    yield (
        '</ul>\n<div class="wide" tabindex="0" role="region" aria-label="Leaves"><table><caption>'
        f"{_safe(asked)}</caption>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n"
    )
    for leaf in leaves:
        bad = ' class="bad"' if leaf.doubt or not leaf.details else ""
        cells = "".join(f"<td>{_safe(cell)}</td>" for cell in _cells(leaf))
        yield f"<tr{bad}>{cells}</tr>\n"
    yield "</tbody></table></div></main></body></html>\n"


def _cells(leaf: ShownLeaf) -> list[str]:
    said = told_details(leaf)
    rest = {name: value for name, value in said.items() if name not in COLUMNS}
    named = [said.get(name, "") for name in COLUMNS]
    details = json.dumps(rest, ensure_ascii=True, sort_keys=True) if rest else ""
    head = [leaf.at, leaf.camera, leaf.process, str(leaf.number), leaf.kind]
    return [*head, *named, leaf.doubt, details]


def no_formula(cell: str) -> str:
    """A cell that a spreadsheet does not run."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _csv_row(cells: Iterable[str]) -> str:
    row = io.StringIO()
    csv.writer(row).writerow(cells)
    return row.getvalue()


def _safe(text: str) -> str:
    return escape(visible(text))
