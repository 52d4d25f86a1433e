"""A hot list's CSV as rows, with the separator that its header has.

One line is one row: no field may hold a line end, so a quote that is not closed breaks one row and
not the rest.
"""

from __future__ import annotations

import csv
import re
from itertools import chain
from typing import TYPE_CHECKING

from agent.core.hotlist.entry import FIELDS, REQUIRED
from agent.core.hotlist.intake.lines import MAX_LINE_BYTES
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


SEPARATORS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}
_NAMES = frozenset(FIELDS)
_SECOND_HEADER = "a second header, with other columns (two files in one: import them apart)"
_AROUND = " \t\ufeff"  # a byte order mark stands where two files were put together
_EMPTY = b' ,;\t|"\x1a\x0c'  # with the ends that old programs put behind a file
_says_separator = re.compile(rb'(?i:"?sep)=([,;\t|])"?[,;\t| ]*').fullmatch
_record = re.compile(rb"[A-Z](?:19|20)[0-9]{6}[A-Z0-9 ]{10}[A-Z]{2}").match


def opened(
    blocks: Iterable[tuple[int, list[bytes]]], where: str
) -> tuple[CsvReader, Iterator[tuple[int, list[bytes]]]]:
    """A reader made from the header, and the blocks below it.

    Empty rows and a spreadsheet's `sep=;` may stand above. Raises ConfigError on a header that is
    not right: nothing below it could be read.
    """
    blocks, said = iter(blocks), ""
    for first, lines in blocks:
        for place, line in enumerate(lines):
            if (found := _says_separator(line)) and not said:
                said = found[1].decode("ascii")
            elif line.strip(_EMPTY):
                below = [(first + place + 1, lines[place + 1 :])]
                return CsvReader(line, f"{where}:{first + place}", said), chain(below, blocks)
    return CsvReader(b"", f"{where}:1", said), iter(())


class CsvReader:
    """Reads blocks of lines into a builder.

    `order`: where each field of FIELDS stands, None where it does not; `separator`: one of
    SEPARATORS.
    """

    def __init__(self, header: bytes, where: str, separator: str = "") -> None:
        """`where`: file and line; `separator`: where the file says it. Raises ConfigError."""
        self.separator = separator or _separator_of(header)
        fields = fields_of(header, self.separator)
        names = [] if isinstance(fields, str) else [_name(one) for one in fields]
        columns = _columns(names, header, where)
        self._names = columns
        self._width = len(columns)
        self._order = {name: columns.index(name) if name in columns else None for name in FIELDS}

    def plain(self, untrusted_lines: Sequence[bytes]) -> Mapping[str, Sequence[str]] | None:
        """The columns of lines that need no care: ASCII, no quotes, none empty, none too long, as
        many fields as the header.

        None for others.
        """
        joined = b"\n".join(untrusted_lines)
        if (
            not joined.isascii()
            or b'"' in joined
            or b"\0" in joined
            or max(map(len, untrusted_lines)) > MAX_LINE_BYTES
        ):
            return None
        rows = [line.split(self.separator) for line in joined.decode("ascii").split("\n")]
        if set(map(len, rows)) != {self._width}:
            return None
        columns = list(zip(*rows, strict=True))
        categories = columns[self._order["category"] or 0]
        if not _NAMES.isdisjoint(map(_name, set(categories))):  # a header, again
            return None
        return {
            name: ("",) * len(rows) if place is None else columns[place]
            for name, place in self._order.items()
        }

    def row(self, untrusted_line: bytes) -> Sequence[str] | str:
        """The fields of one line in the order of FIELDS, or why it is no row; nothing for an empty
        one, as editors and spreadsheets leave at the end.
        """
        if not untrusted_line.strip(_EMPTY):
            return ()
        fields = fields_of(untrusted_line, self.separator)
        if isinstance(fields, str):
            return fields
        if _NAMES.issuperset(names := [_name(one) for one in fields]):
            return () if names == self._names else _SECOND_HEADER
        if len(fields) != self._width:
            return (
                f"{len(fields)} fields where the header has {self._width} "
                f"(the row is cut short, or {SEPARATORS[self.separator]} is not in quotes)"
            )
        return [fields[place] if place is not None else "" for place in self._order.values()]


def _separator_of(header: bytes) -> str:
    """Which one the header has most of; a comma where it has none."""
    return max(SEPARATORS, key=lambda one: (header.count(one.encode("ascii")), one == ","))


def _name(untrusted_field: str) -> str:
    """A column's name however a program writes it: `Source Date`."""
    return re.sub(r"[ -]+", "_", untrusted_field.strip(_AROUND).lower())


def fields_of(untrusted_line: bytes, separator: str) -> list[str] | str:
    """The fields of one line, or why it has none."""
    if len(untrusted_line) > MAX_LINE_BYTES:
        return f"longer than {MAX_LINE_BYTES} bytes (is this a CSV file?)"
    try:
        text = untrusted_line.decode("utf-8")
    except UnicodeDecodeError:
        return "not UTF-8 (save the list as UTF-8)"
    if "\0" in text:
        return "holds a NUL byte (the file is damaged, or no text)"
    if '"' not in text:
        return text.split(separator)
    try:
        return next(csv.reader([text], delimiter=separator, strict=True))
    except csv.Error:  # its text may quote the row
        return "not CSV here: quotes that do not match"


def _columns(names: Sequence[str], header: bytes, where: str) -> Sequence[str]:
    """The header, checked.

    It is quoted only once it is known to be one: without a header the first row would be a plate's.
    """
    missing = [name for name in REQUIRED if name not in names]
    if _record(header):
        raise ConfigError(
            "is a record of fixed width, and no header of a CSV", where=where, fix="give --ncic"
        )
    if missing:
        raise ConfigError(
            f"header: missing {', '.join(missing)}",
            where=where,
            fix=f"the first line must read {','.join(REQUIRED)}",
        )
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise ConfigError(
            f"header: unknown column {', '.join(ascii(name[:24]) for name in unknown)}",
            where=where,
            fix="remove it: notes and names have no place on a camera",
        )
    if len(set(names)) != len(names):
        raise ConfigError("header: a column is there twice", where=where, fix="remove one")
    return names
