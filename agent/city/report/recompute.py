"""`report --verify`: makes a published report again from the public files, and says where it
differs.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from html import unescape
from pathlib import Path

from agent.city.report.log_work import LogDone
from agent.city.report.make import Asked, Made, Tell, make
from agent.city.report.report_tables import Pin
from agent.city.report.shown.forms import as_json, read_head
from agent.city.report.shown.report_page import META, as_html
from agent.disk.atomic_file import read_bounded
from agent.errors import UsageError
from agent.values import dataclass, replace

MAX_BYTES = 64 * 1024 * 1024
MOST_TOLD = 40
OUTSIDE = "outside of all sections"
_META = re.compile(rf'<meta name="{META}" content="([^"]*)">')
_SECTION = re.compile(r'<section id="([a-z-]+)">(.*?)</section>', re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


@dataclass(frozen=True, slots=True)
class Checked:
    """`differences`: where the file differs from what the public files give, none where it is the
    same byte for byte.
    """

    made: Made
    differences: tuple[str, ...]


def recompute(file: Path, asked: Asked, tell: Tell = lambda _done, _all: None) -> Checked:
    """`asked` says where the public files are; what to report, the file says itself.

    Raises UsageError (no report), ConfigError, StorageError.
    """
    data = read_bounded(file, MAX_BYTES)
    page = data.startswith(b"<!doctype html>")
    head = read_head(_untrusted_head(data, file, page=page), str(file))
    pins, told = head.pins, head.witnesses
    asked = replace(asked, period=head.period, names=head.names, pins=pins, witnesses=told)
    made = make(asked, tell)
    again = as_html(made.report) if page else as_json(made.report)
    if again == data:
        return Checked(made, ())
    found = [*_logs(pins, made.logs), *(_pages if page else _tables)(data, again)]
    return Checked(made, tuple(found) or ("other spaces or another order",))


def _untrusted_head(data: bytes, file: Path, *, page: bool) -> object:
    try:
        if not page:
            return json.loads(data)
        found = _META.search(data.decode())
        return json.loads(unescape(found.group(1))) if found else None
    except (ValueError, RecursionError):
        raise UsageError(
            "is no report",
            where=file,
            fix="give the HTML or the JSON, as it was published; a CSV says too little",
        ) from None


def _logs(pins: Mapping[str, Pin], logs: Sequence[LogDone]) -> Iterator[str]:
    """Which leaves are not those that the report was made of."""
    here = {one.report.origin: one for one in logs}
    for origin, pin in sorted(pins.items()):
        done = here.get(origin)
        if done is None:
            yield f"log {origin}: it is not here"
            continue
        for fault in done.report.faults:
            last = "" if fault.last in {None, fault.leaf} else f" to {fault.last}"
            leaf = f"leaf {fault.leaf}{last}: " if fault.leaf is not None else ""
            yield f"log {origin}: {leaf}[{fault.reason}] {fault.what}"
        if done.leaves < pin.leaves:
            yield f"log {origin}: it ends at leaf {done.leaves}, the report's at {pin.leaves}"
        elif done.root != pin.root and not done.report.faults:
            yield f"log {origin}: {_where(pin, done)}"


def _where(pin: Pin, done: LogDone) -> str:
    """Both are signed, and they are two histories: from which leaf on, the months tell."""
    same = 0
    for month, (size, root) in sorted(pin.months.items(), key=lambda one: one[1][0]):
        if done.months.get(month) != (size, root):
            return (
                f"another history, signed by the same key: it differs between leaves {same} and "
                f"{size - 1}, in {month}"
            )
        same = size
    return "another history, signed by the same key"


def _tables(data: bytes, again: bytes) -> Iterator[str]:
    before, after = json.loads(data), json.loads(again)
    for name in sorted(before.keys() | after.keys()):
        if name not in {"tables", "logs"} and before.get(name) != after.get(name):
            yield f"{name}: it says {_short(before.get(name))}, and should say {after.get(name)}"
    old, new = before.get("tables"), after["tables"]
    if not isinstance(old, dict):
        yield "tables: there are none"
        return
    for code in sorted(old.keys() | new.keys()):
        one, other = (tables.get(code) for tables in (old, new))
        if one == other:
            continue
        rows = _rows(one), _rows(other)
        yield from _apart(code, *rows)


def _rows(table: object) -> list[str]:
    rows = table.get("rows") if isinstance(table, dict) else None
    return [json.dumps(row) for row in rows] if isinstance(rows, list) else []


def _pages(data: bytes, again: bytes) -> Iterator[str]:
    texts = [one.decode(errors="replace") for one in (data, again)]
    old, new = (dict(_SECTION.findall(one)) | {OUTSIDE: _SECTION.sub("", one)} for one in texts)
    for code in sorted(old.keys() | new.keys()):
        if old.get(code) != new.get(code):
            yield from _apart(code, *(_lines(one.get(code, "")) for one in (old, new)))


def _lines(section: str) -> list[str]:
    cells = section.replace("</td>", " | ").splitlines()
    return [text for line in cells if (text := unescape(_TAG.sub("", line)).strip())]


def _apart(code: str, old: Sequence[str], new: Sequence[str]) -> Iterator[str]:
    """The lines that only one of the two has."""
    told = [f"section {code}: it says {_short(one)}" for one in old if one not in set(new)]
    told += [f"section {code}: it should say {_short(one)}" for one in new if one not in set(old)]
    yield from told[:MOST_TOLD] or [f"section {code}: other words or another order"]


def _short(value: object, most: int = 300) -> str:
    text = str(value)
    return text if len(text) <= most else text[:most] + "…"
