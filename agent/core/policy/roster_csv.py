"""Reads roster.csv: the cameras of a batch, one a line, and says every fault at once
(docs/ref/enrolment.md).
"""

from __future__ import annotations

import csv
import io

from agent.core.policy.barring import PLACES
from agent.core.text.identifier import IDENTIFIER
from agent.core.text.suggestion import nearest
from agent.core.wire.enrolment import MAX_ID
from agent.errors import ConfigError
from agent.values import dataclass

HEADER = ("id", "stands", "near", "mount")
GROUP = "group"  # a fifth column, where brokers are for groups of cameras
MAX_BYTES = 8 * 1024 * 1024
MAX_ROWS = 20_000
_MAX_LINE, _MAX_SHOWN = 120, 10


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One camera to be made. Fields as in roster.toml (docs/ref/policy.md, The roster)."""

    id: str
    stands: str
    near: tuple[str, ...]
    mount: str
    group: str = ""


def parse_roster_csv(untrusted_text: bytes, where: str) -> tuple[RosterRow, ...]:
    """The rows, in order; comma or semicolon, with or without byte-order mark.

    Raises ConfigError naming every fault with its line.
    """
    try:
        text = untrusted_text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError("is not UTF-8", where=where, fix="save it as CSV UTF-8") from None
    table = _table(text, where)
    header = tuple(cell.strip().lower() for cell in table[0]) if table else ()
    if header not in {HEADER, (*HEADER, GROUP)}:
        known = (*HEADER, GROUP)
        slips = (nearest(name, known) for name in header if name not in known)
        meant = next((f"; did you mean `{name}`?" for name in slips if name), "")
        raise ConfigError(
            "its first line is not the header",
            where=f"{where}:1",
            fix=f"begin with {','.join(HEADER)}, and {GROUP} where you need it{meant}",
        )
    rows: list[RosterRow] = []
    faults: list[str] = []
    seen: dict[str, int] = {}
    for number, cells in enumerate(table[1 : MAX_ROWS + 2], 2):
        if any(cell.strip() for cell in cells):
            row = _row([cell.strip() for cell in cells], len(header), number, seen, faults)
            rows += [row] if row else []
    if len(rows) > MAX_ROWS:
        faults.append(f"more than {MAX_ROWS} cameras")
    if faults or not rows:
        shown = "; ".join(faults[:_MAX_SHOWN]) + (
            f"; and {len(faults) - _MAX_SHOWN} more" if len(faults) > _MAX_SHOWN else ""
        )
        raise ConfigError(
            shown or "names no camera", where=where, fix="nothing was made; correct the file"
        )
    return tuple(rows)


def _table(text: str, where: str) -> list[list[str]]:
    """The cells of every line. Raises ConfigError."""
    head = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=";" if head.count(";") > head.count(",") else ",",
        strict=False,
    )
    try:
        return list(reader)
    except csv.Error:  # its text may quote the row
        raise ConfigError(
            f"line {reader.line_num}: cannot be read as CSV",
            where=where,
            fix="is a quote not closed, or a field very long?",
        ) from None


def _row(
    cells: list[str], columns: int, line: int, seen: dict[str, int], faults: list[str]
) -> RosterRow | None:
    """One camera; what is wrong with it goes to `faults`."""
    if len(cells) != columns:
        faults.append(f"line {line}: {len(cells)} columns instead of {columns}")
        return None
    name = cells[0]
    stands = cells[1]
    near = tuple(cells[2].replace("|", " ").split())
    mount = cells[3] or "fixed"
    group = cells[4] if columns > len(HEADER) else ""
    before = len(faults)
    if IDENTIFIER.fullmatch(name) is None or len(name) > MAX_ID:
        faults.append(
            f"line {line}: {name[:40]!a} is no camera id (a-z, 0-9 and -, at most {MAX_ID})"
        )
    elif name in seen:
        faults.append(f"line {line}: camera {name!r} is there already, in line {seen[name]}")
    if not 0 < len(stands) <= _MAX_LINE or not stands.isprintable():
        faults.append(
            f"line {line}: "
            f"`stands` must be one line of printable text, at most {_MAX_LINE} characters"
        )
    faults += [
        f"line {line}: {place[:40]!a} is no kind of place (one of: {', '.join(PLACES)})"
        for place in near
        if place not in PLACES
    ]
    if mount not in {"fixed", "vehicle"}:
        faults.append(f"line {line}: `mount` must be one of: fixed, vehicle")
    if group and IDENTIFIER.fullmatch(group) is None:
        faults.append(f"line {line}: `group` {group[:40]!a} is no identifier (a-z, 0-9 and -)")
    seen.setdefault(name, line)
    return RosterRow(name, stands, near, mount, group) if len(faults) == before else None
