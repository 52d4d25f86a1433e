"""Parses the hot list's CSV into the entries that matching needs; a row that is not right refuses the whole list (docs/ref/hotlist.md).

Only the camera's own process imports this module (P2). Messages name line and field and never quote a row: in a broken row any field may hold a plate.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from sys import intern
from typing import TYPE_CHECKING

from agent.core.plate_text import PlateText
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

REQUIRED = ("plate", "state", "category", "agency", "case", "source_date", "expires")
OPTIONAL = ("class",)
MAX_BYTES = 256 * 1024 * 1024
MAX_ROWS = 2_000_000
MAX_FAULTS_TOLD = 50
MAX_VALIDITY_DAYS = 5 * 366

STATE = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
CATEGORY = re.compile(r"[a-z0-9]([a-z0-9-]{0,46}[a-z0-9])?")
AGENCY = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,'()&/-]{0,63}")
CASE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ./_-]{0,47}")
CLASS = re.compile(r"[a-z][a-z-]{0,23}")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)

# Characters that cameras, fonts and people take for one another: each stands for its group (docs/ref/hotlist.md).
CONFUSABLE_GROUPS = ("0ODQ", "1IL", "2Z", "5S", "6G", "8B")
_FOLD = str.maketrans({character: group[0] for group in CONFUSABLE_GROUPS for character in group})


def fold(text: str) -> str:
    """The text with every confusable character replaced by its group's first; equal folds can be mistaken for one another."""
    return text.translate(_FOLD)


@dataclass(frozen=True, slots=True)
class Entry:
    """One row, without its class and line. `state`: ISO 3166, e.g. US-CA. `expires`: the first day on which it matches no more."""

    plate: PlateText
    state: str
    category: str
    agency: str
    case: str
    source_date: date
    expires: date


@dataclass(frozen=True, slots=True)
class HotList:
    """Entries by plate text, and by folded text. `expired`: rows that were past their date and are not kept. `digest`: hex SHA-256 of the file."""

    by_text: Mapping[str, tuple[Entry, ...]]
    by_fold: Mapping[str, tuple[Entry, ...]]
    expired: int
    digest: str

    def __len__(self) -> int:
        return sum(map(len, self.by_text.values()))

    def __repr__(self) -> str:
        return f"<hot list of {len(self)} entries>"


def parse_hotlist(untrusted_csv: bytes, where: str, today: date) -> HotList:
    """The hot list in a file's bytes, without the rows that have expired by `today` (UTC).

    Raises ConfigError naming file, line and field of every fault (the first 50), never what stands there. A BOM, CRLF and a missing last line
    feed are fine; identical rows count once.
    """
    if len(untrusted_csv) > MAX_BYTES:
        raise ConfigError(f"{len(untrusted_csv)} bytes are too many", where=where, fix=f"at most {MAX_BYTES}")
    faults: list[str] = []
    kept: dict[Entry, None] = {}
    expired = 0
    for line, row in _rows(untrusted_csv, where):
        entry, found = _entry(row, today)
        faults += (f"{where}:{line}: {what}" for what in found)
        if len(faults) > MAX_FAULTS_TOLD:
            raise ConfigError("\n".join([*faults[:MAX_FAULTS_TOLD], f"{where}: and more faults after line {line}"]))
        if entry is not None and entry.expires <= today:
            expired += 1
        elif entry is not None:
            kept[entry] = None
    if faults:
        raise ConfigError("\n".join(faults))
    return HotList(_index(kept, str), _index(kept, fold), expired, hashlib.sha256(untrusted_csv).hexdigest())


def _rows(untrusted_csv: bytes, where: str) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Each row by column name, with its line. Raises ConfigError on a bad header, a row cut short, or bytes that are no CSV in UTF-8."""
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(untrusted_csv), encoding="utf-8-sig", newline=""), strict=True)
    try:
        columns = _columns(next(reader, []), where)
        for row in reader:
            here = f"{where}:{reader.line_num}"
            if not row:
                continue  # an empty line, as editors leave at the end
            if len(row) != len(columns):
                raise ConfigError(f"{len(row)} fields where the header has {len(columns)}", where=here, fix="the row is cut short, or a comma is not in quotes")
            if reader.line_num > MAX_ROWS:
                raise ConfigError("too many rows", where=here, fix=f"at most {MAX_ROWS}")
            yield reader.line_num, dict(zip(columns, row, strict=True))
    except UnicodeDecodeError:
        raise ConfigError("not UTF-8", where=f"{where}:{_first_odd_line(untrusted_csv)}", fix="save the list as UTF-8") from None
    except csv.Error:  # its text may quote the row
        raise ConfigError("not CSV here: quotes that do not match, or a field too long", where=f"{where}:{reader.line_num}") from None


def _first_odd_line(untrusted_csv: bytes) -> int:
    """The line of the first byte that is not UTF-8."""
    try:
        untrusted_csv.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return untrusted_csv.count(b"\n", 0, error.start) + 1
    return 1


def _columns(header: Sequence[str], where: str) -> Sequence[str]:
    """The header, checked. It is quoted only once it is known to be one: without a header the first row would be a plate's."""
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise ConfigError(f"header: missing {', '.join(missing)}", where=f"{where}:1", fix=f"the first line must read {','.join(REQUIRED)}")
    unknown = [number for number, name in enumerate(header, 1) if name not in REQUIRED + OPTIONAL]
    if unknown:
        named = ", ".join(ascii(header[number - 1][:24]) for number in unknown)
        raise ConfigError(f"header: unknown column {named}", where=f"{where}:1", fix="remove it: notes and names have no place on a camera")
    if len(set(header)) != len(header):
        raise ConfigError("header: a column is there twice", where=f"{where}:1", fix="remove one")
    return header


def _entry(row: Mapping[str, str], today: date) -> tuple[Entry | None, list[str]]:
    """The row's entry, or what is wrong with it as `field: what`, without values."""
    faults = [f"{name}: {what}" for name, (pattern, what) in _PATTERNS.items() if name in row and not pattern.fullmatch(row[name])]
    plate = _plate(row["plate"])
    if plate is None:
        faults.append("plate: must be letters A-Z, digits, spaces and hyphens, at most 12 letters and digits")
    source_date, expires = _date(row["source_date"]), _date(row["expires"])
    faults += [f"{name}: must be a date as 2026-11-22" for name, value in (("source_date", source_date), ("expires", expires)) if value is None]
    if source_date is not None and source_date > today + timedelta(days=1):  # a day for the earth's other side
        faults.append("source_date: in the future")
    if source_date is not None and expires is not None and not source_date < expires <= source_date + timedelta(days=MAX_VALIDITY_DAYS):
        faults.append("expires: must be later than source_date, by five years at most")
    if faults or plate is None or source_date is None or expires is None:
        return None, faults
    state, category, agency = intern(row["state"]), intern(row["category"]), intern(row["agency"])
    return Entry(plate, state, category, agency, row["case"], source_date, expires), []


_PATTERNS = {
    "state": (STATE, "must be an ISO 3166 code as US-CA or DE"),
    "category": (CATEGORY, "must be a-z, 0-9 and -, at most 48 characters"),
    "agency": (AGENCY, "missing, or not plain ASCII of at most 64 characters"),
    "case": (CASE, "missing, or not plain ASCII of at most 48 characters"),
    "class": (re.compile(f"({CLASS.pattern})?"), "must be a-z and -, or empty"),
}


def _plate(untrusted_text: str) -> PlateText | None:
    """The normalised plate, None where it is none. ASCII first: upper-casing would turn look-alikes into letters."""
    if not untrusted_text.isascii():
        return None
    try:
        plate = PlateText.normalise(untrusted_text)
    except ValueError:
        return None
    return plate if len(plate) else None


def _date(untrusted_text: str) -> date | None:
    try:
        return date.fromisoformat(untrusted_text) if DATE.fullmatch(untrusted_text) else None
    except ValueError:
        return None


def _index(entries: Mapping[Entry, None], key: Callable[[str], str]) -> Mapping[str, tuple[Entry, ...]]:
    """Entries by a key of their text, in the list's order."""
    index: defaultdict[str, tuple[Entry, ...]] = defaultdict(tuple)
    for entry in entries:
        index[key(entry.plate.value)] += (entry,)
    return dict(index)
