"""A list's file, chunk by chunk, into the binary form: rows are read, checked, kept as columns,
sorted; or the whole list is refused.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from agent.core.hotlist.builder import ListBuilder
from agent.core.hotlist.categories import AllowList
from agent.core.hotlist.compiled_format import Compiled, encode
from agent.core.hotlist.entry import FIELDS
from agent.core.hotlist.index import MAX_AGE, HotList, hotlist_of
from agent.core.hotlist.intake.compiled_rows import compile_rows
from agent.core.hotlist.intake.csv_rows import opened
from agent.core.hotlist.intake.encodings import as_utf8
from agent.core.hotlist.intake.lines import Faults, line_blocks
from agent.core.hotlist.intake.ncic import NcicReader
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.policy.policy import NEVER_RELEASE
from agent.errors import ConfigError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date, timedelta

    from agent.core.hotlist.intake.ncic import Layout

MAX_ROWS = 10_000_000
_CASE = FIELDS.index("case")


@dataclass(frozen=True, slots=True)
class Source:
    """A list as it came.

    `where`: its name in messages; `as_of` (UTC): when its maker made it; `layout`: for fixed-width
    records, None for CSV.
    """

    untrusted_chunks: Iterable[bytes]
    where: str
    as_of: datetime
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Imported:
    """The list, and the lines of the rows that were left out (the first thousand)."""

    compiled: Compiled
    skipped_lines: tuple[int, ...]

    def encoded(self) -> bytes:
        """The bytes of the list's file."""
        return encode(self.compiled.header, self.compiled.columns)


def import_list(
    source: Source,
    allowed: Iterable[str] | None,
    today: date,
    *,
    skip_bad_rows: bool = False,
    doubts: RowDoubts | None = None,
    one_by_one: bool = False,
) -> Imported:
    """The list in a source, without rows that have expired by `today` (UTC) and of categories that
    are not allowed (None: all are).

    `doubts`: what is a fault of a row although it could be taken; None: what a spreadsheet changed.
    `one_by_one`: a row that is broken or doubted costs itself alone, for whoever can ask nobody;
    but the whole list where it may be a protection.

    Raises ConfigError naming file, line and field of every fault (the first 50), never what stands
    there.
    """
    digest = hashlib.sha256()
    builder = ListBuilder(today, AllowList(allowed))
    faults = Faults(source.where, skip=skip_bad_rows)
    taker = _Taker(builder, faults, doubts or RowDoubts(), one_by_one)
    chunks = as_utf8(_hashed(source.untrusted_chunks, digest), source.where)
    blocks = line_blocks(chunks)
    if source.layout is None:
        _read_csv(blocks, taker)
    else:
        _read_ncic(blocks, taker, NcicReader(source.layout))
    faults.require_none()
    compiled = compile_rows(
        builder,
        source.where,
        digest.hexdigest(),
        source.as_of,
        allowed=allowed,
        skipped=faults.skipped,
    )
    return Imported(compiled, tuple(faults.lines))


@dataclass(frozen=True, slots=True)
class _Taker:
    """Where rows go: into the builder, or among the faults.

    Blocks that are plainly right go in as a whole; the others row by row, so that each fault gets
    its line.
    """

    builder: ListBuilder
    faults: Faults
    doubts: RowDoubts
    one_by_one: bool

    def many(self, first: int, rows: Mapping[str, Sequence[str]]) -> bool:
        """Take rows by column of FIELDS, one a line from `first` on; False, and nothing done, where
        one needs a look.
        """
        return not self.doubts.any(rows) and self.builder.add_many(rows, first)

    def one(self, line: int, row: Sequence[str] | str) -> None:
        """Take one row, or note what is wrong with it."""
        if isinstance(row, str):
            self.faults.add(line, [row])
        elif row:
            plate, state, category, *_ = row
            # Of a category that is not allowed no plate is looked at.
            admitted = self.builder.allow.admits(category)
            # What is doubted protects all the same where nobody can be asked: it costs a lead.
            protects = category == NEVER_RELEASE
            asked = admitted and not (self.one_by_one and protects)
            doubts = self.doubts.of(plate, state, row[_CASE]) if asked else []
            if nearly := self.doubts.of_category(category):
                doubts.append(nearly)
            found = self._more(doubts, row) if doubts else self.builder.add(*row, line=line)
            if found and self.one_by_one and admitted and not protects and not nearly:
                self.faults.leave_out(line)
            elif found:
                self.faults.add(line, found)

    def _more(self, doubts: Sequence[str], row: Sequence[str]) -> Sequence[str]:
        """With what else is wrong: in a row whose fields have shifted, every one is."""
        told = {doubt.split(":", 1)[0] for doubt in doubts}
        others = self.builder.faults(*row)
        return [*doubts, *(one for one in others if one.split(":", 1)[0] not in told)]


def _read_csv(blocks: Iterator[tuple[int, list[bytes]]], taker: _Taker) -> None:
    reader, rows = opened(blocks, taker.faults.where)
    for first, block in rows:
        _require_end(first + len(block), taker.faults.where)
        columns = reader.plain(block) if block else {}
        if columns is not None and (not columns or taker.many(first, columns)):
            continue
        for line, content in enumerate(block, first):
            taker.one(line, reader.row(content))


def _read_ncic(
    blocks: Iterator[tuple[int, list[bytes]]], taker: _Taker, reader: NcicReader
) -> None:
    checked = reader.opened(blocks, taker.faults.where)
    for first, block in checked:
        _require_end(first + len(block), taker.faults.where)
        rows = [reader.row(content) for content in block]
        plain = [row for row in rows if row and not isinstance(row, str)]
        if len(plain) == len(rows) and taker.many(
            first, dict(zip(FIELDS, zip(*plain, strict=True), strict=True))
        ):
            continue
        for line, row in enumerate(rows, first):
            taker.one(line, row)


def _require_end(line: int, where: str) -> None:
    if line > MAX_ROWS:
        raise ConfigError("too many rows", where=f"{where}:{line}", fix=f"at most {MAX_ROWS}")


def parse_hotlist(
    untrusted_csv: bytes,
    where: str,
    today: date,
    *,
    allowed: Iterable[str] | None = None,
    as_of: datetime | None = None,
    max_age: timedelta = MAX_AGE,
) -> HotList:
    """A small list in CSV, ready to be matched.

    `as_of`: when it was made; None: at the start of `today`. Raises ConfigError as import_list.
    """
    made = as_of or datetime.combine(today, time(), UTC)
    compiled = import_list(Source([untrusted_csv], where, made), allowed, today).compiled
    return hotlist_of(compiled, allowed, max_age=max_age)


def _hashed(untrusted_chunks: Iterable[bytes], digest: hashlib._Hash) -> Iterator[bytes]:
    for chunk in untrusted_chunks:
        digest.update(chunk)
        yield chunk
