"""A report as JSON and as CSV; the same report gives the same bytes."""

import csv
import io
import json

from agent.audit.leaf_tables import no_formula
from agent.city.report.bands import Band, Cell
from agent.city.report.report_tables import Period, Pin, Report, require
from agent.errors import UsageError
from agent.values import dataclass

VERSION = 1
MAX_LOGS = 20_000


def head(report: Report) -> dict[str, object]:
    """What a report was asked, and of what it was made: enough to make it again."""
    return {
        "v": VERSION,
        "city": report.city,
        "name": report.name,
        "period": report.period.name,
        "asked": list(report.asked),
        "publish": report.publish,
        "first_root": report.first_root,
        "witnesses": report.witnesses,
        "logs": {
            one.origin: {
                "leaves": one.leaves,
                "root": one.root,
                "verdict": one.verdict,
                "months": {month: list(end) for month, end in one.months.items()},
                "cosigned": one.cosigned,
            }
            for one in report.pins
        },
    }


def as_json(report: Report) -> bytes:
    """One object: the head, `said`, and `tables` by their codes, a band as [at least, at most]."""
    tables = {
        one.code: {
            "title": one.title,
            "says": one.says,
            "columns": list(one.columns),
            "rows": [[_value(cell) for cell in row] for row in one.rows],
        }
        for one in report.tables
    }
    table = {**head(report), "said": list(report.said), "tables": tables}
    return json.dumps(table, ensure_ascii=True, sort_keys=True, indent=1).encode() + b"\n"


def as_csv(report: Report) -> bytes:
    """One row for each cell of each table, as RFC 4180 has them: a spreadsheet filters by table."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("table", "row", "column", "value", "at_least", "at_most"))
    for one in report.tables:
        for number, row in enumerate(one.rows, 1):
            for column, cell in zip(one.columns, row, strict=True):
                writer.writerow((one.code, number, column, *_columns(cell)))
    return out.getvalue().encode()


@dataclass(frozen=True, slots=True)
class Head:
    """What a report says that it is: enough to make it again. `witnesses`: as Report has it."""

    period: Period
    names: tuple[str, ...]
    pins: dict[str, Pin]
    witnesses: str


def read_head(untrusted: object, where: str) -> Head:
    """The head of a report that somebody hands on. Raises UsageError."""
    try:
        return _head(untrusted)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            "is no report of `platewarden report`, or of a newer version",
            where=where,
            fix="give the HTML or the JSON, as it was published",
        ) from None


def _head(untrusted: object) -> Head:
    if not isinstance(untrusted, dict) or untrusted["v"] != VERSION:
        raise ValueError
    period, asked, logs = untrusted["period"], untrusted["asked"], untrusted["logs"]
    if not isinstance(period, str) or not isinstance(asked, list) or len(logs) > MAX_LOGS:
        raise TypeError
    pins = {
        str(origin): Pin(
            str(origin),
            _number(one["leaves"]),
            str(one["root"]),
            str(one["verdict"]),
            {
                str(month): (_number(size), str(root))
                for month, (size, root) in one["months"].items()
            },
            str(one["cosigned"]),
        )
        for origin, one in logs.items()
    }
    require(period, [str(name) for name in asked])
    return Head(Period(period), tuple(map(str, asked)), pins, str(untrusted["witnesses"]))


def _number(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError
    return value


def _value(cell: Cell) -> object:
    return [cell.at_least, cell.at_most] if isinstance(cell, Band) else cell


def _columns(cell: Cell) -> tuple[object, object, object]:
    if isinstance(cell, Band):
        return "", cell.at_least, cell.at_most
    return (cell, cell, cell) if isinstance(cell, int) else (no_formula(cell), "", "")
