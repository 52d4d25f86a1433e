"""Takes an agency's list into a city's folder, whole or not at all, in place of the one before."""

from __future__ import annotations

from datetime import time
from typing import TYPE_CHECKING

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import (
    BINARY,
    MAX_SOURCE_BYTES,
    PLAIN,
    file_digest,
    list_folder,
    modified,
    read_held,
    read_manual,
)
from agent.city.city_lock import only_writer
from agent.city.city_log import city_log
from agent.city.hotlist_leaves import import_leaf
from agent.city.hotlist_overview import issuers_in
from agent.city.hotlist_progress import progress
from agent.city.moment import time_typed
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.ncic import Layout, parse_spans
from agent.core.hotlist.plausibility.doubts import Allowed, Doubt, Lists
from agent.core.hotlist.plausibility.of_rows.rows import RowDoubts
from agent.core.hotlist.plausibility.whole import require_plausible
from agent.core.time.instant import to_millisecond
from agent.disk.input_file import input_chunks
from agent.errors import ConfigError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import date, datetime
    from pathlib import Path

    from agent.core.hotlist.compiled_format import Compiled


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to take in, as typed.

    `as_of`: when the agency made it, empty: the file's own date; `layout`: of fixed-width records,
    None for CSV. `allowed`: what may be, although it is doubted.
    """

    file: Path
    as_of: str
    layout: Layout | None
    skip_bad_rows: bool
    allowed: Allowed = frozenset()


@dataclass(frozen=True, slots=True)
class ImportDone:
    """What an import did.

    `before`: entries of the list that it replaced; `skipped_lines`: the first thousand.
    """

    before: int
    entries: int
    skipped: int
    skipped_lines: tuple[int, ...]

    def table(self) -> dict[str, object]:
        """What was left out, as plain values."""
        return {"rows_skipped": self.skipped, "skipped_lines": list(self.skipped_lines)}


def ncic_layout(columns: str, agency: str, case: str, valid_days: int, today: date) -> Layout:
    """The layout of NCIC records, as typed.

    Raises UsageError where nothing says the agency or the case.
    """
    layout = Layout(parse_spans(columns), today, agency, case, valid_days)
    if not all(
        name in layout.spans or value for name, value in (("agency", agency), ("case", case))
    ):
        raise UsageError(
            "each entry needs its agency and a case reference",
            where="--ncic",
            fix="give --agency and --case, or name their columns in --columns",
        )
    return layout


def import_into(city: Path, order: ImportOrder, now: datetime) -> ImportDone:
    """Import the list that was ordered. Raises UsageError, ConfigError, StorageError."""
    categories = CityFolder(city).charter().allowed_categories
    doubts = RowDoubts(issuers_in(city), order.allowed)
    made = _made_at(order, now)
    _require_only_list(city, order.file)
    with only_writer(city), city_log(city) as log:
        held = _held(city, order.allowed)
        with progress(order.file) as watched:
            chunks = watched(input_chunks(order.file, MAX_SOURCE_BYTES, missing="check the path"))
            done = import_list(
                Source(chunks, str(order.file), made, order.layout),
                categories,
                now.date(),
                skip_bad_rows=order.skip_bad_rows,
                doubts=doubts,
            )
            has_cases = order.layout is None or order.layout.has_cases
            withdrawn = read_manual(city).without_old(now.date()).withdrawn
            require_plausible(
                Lists(done.compiled, held, withdrawn, now.date(), has_cases),
                str(order.file),
                order.allowed,
            )
            data = done.encoded()
        header, before = done.compiled.header, len(held.columns) if held else 0
        log.write(BINARY, data, import_leaf(done.compiled, before, header.skipped, log))
    return ImportDone(before, header.entries, header.skipped, done.skipped_lines)


def _held(city: Path, allowed: Allowed) -> Compiled | None:
    """The list held; None where there is none, or where it is damaged and may go."""
    try:
        return read_held(city)
    except ConfigError as error:
        if Doubt.UNPROTECT in allowed:
            return None
        raise ConfigError(
            f"{error.what}; whose protections would end with it is not known",
            where=error.where,
            fix=f"to take the new list nevertheless, give {Doubt.UNPROTECT.flag}",
        ) from None


def _made_at(order: ImportOrder, now: datetime) -> datetime:
    """A day means its first moment: no list is thought newer than it is."""
    made = (
        to_millisecond(time_typed(order.as_of, "--as-of", time()))
        if order.as_of
        else modified(order.file)
    )
    if made > now:
        raise UsageError(
            "made in the future",
            where="--as-of" if order.as_of else order.file,
            fix="check this machine's date, or say with --as-of when the list was made",
        )
    return made


def _require_only_list(city: Path, file: Path) -> None:
    plain = list_folder(city) / PLAIN
    if plain.exists() and not plain.samefile(file) and file_digest(plain) != file_digest(file):
        raise UsageError(
            "another list lies there",
            where=plain,
            fix="remove it, or import that one: a camera obeys one list",
        )
