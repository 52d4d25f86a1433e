"""A hot list's CSV as rows.

One line is one row: no field may hold a line end, so a quote that is not closed breaks one row and
not the rest.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from agent.core.hotlist.entry import FIELDS, OPTIONAL, REQUIRED
from agent.core.hotlist.intake.lines import MAX_LINE_BYTES
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class CsvReader:
    """Reads blocks of lines into a builder.

    The first line is the header; `order`: where each field of FIELDS stands, None where it does
    not.
    """

    def __init__(self, header: bytes, where: str) -> None:
        """Raises ConfigError on a header that is not right: nothing below it could be read."""
        fields = fields_of(header)
        columns = _columns([] if isinstance(fields, str) else fields, where)
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
        rows = [line.split(",") for line in joined.decode("ascii").split("\n")]
        if set(map(len, rows)) != {self._width}:
            return None
        columns = list(zip(*rows, strict=True))
        return {
            name: ("",) * len(rows) if place is None else columns[place]
            for name, place in self._order.items()
        }

    def row(self, untrusted_line: bytes) -> Sequence[str] | str:
        """The fields of one line in the order of FIELDS, or why it is no row; nothing for an empty
        line, as editors leave at the end.
        """
        if not untrusted_line:
            return ()
        fields = fields_of(untrusted_line)
        if isinstance(fields, str):
            return fields
        if len(fields) != self._width:
            return (
                f"{len(fields)} fields where the header has {self._width} "
                "(the row is cut short, or a comma is not in quotes)"
            )
        return [fields[place] if place is not None else "" for place in self._order.values()]


def fields_of(untrusted_line: bytes) -> list[str] | str:
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
        return text.split(",")
    try:
        return next(csv.reader([text], strict=True))
    except csv.Error:  # its text may quote the row
        return "not CSV here: quotes that do not match"


def _columns(header: Sequence[str], where: str) -> Sequence[str]:
    """The header, checked.

    It is quoted only once it is known to be one: without a header the first row would be a plate's.
    """
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise ConfigError(
            f"header: missing {', '.join(missing)}",
            where=f"{where}:1",
            fix=f"the first line must read {','.join(REQUIRED)}",
        )
    unknown = [number for number, name in enumerate(header, 1) if name not in REQUIRED + OPTIONAL]
    if unknown:
        named = ", ".join(ascii(header[number - 1][:24]) for number in unknown)
        raise ConfigError(
            f"header: unknown column {named}",
            where=f"{where}:1",
            fix="remove it: notes and names have no place on a camera",
        )
    if len(set(header)) != len(header):
        raise ConfigError("header: a column is there twice", where=f"{where}:1", fix="remove one")
    return header
