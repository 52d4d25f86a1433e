"""`platewarden hotlist import`: takes an agency's list in, in place of the one before."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import Json
from agent.commands.hotlist.hotlist_allowances import (
    AllowBulk,
    AllowColumns,
    AllowDates,
    AllowEmpty,
    AllowForeign,
    AllowLostZeros,
    AllowNoPlateWords,
    AllowOlder,
    AllowReturned,
    AllowShrink,
    AllowTwins,
    AllowUnprotect,
)
from agent.commands.hotlist.hotlist_options import City

app = typer.Typer(add_completion=False)


@app.command()
def import_(
    file: Annotated[Path, typer.Argument(help="The agency's list.")],
    city: City,
    ncic: Annotated[
        bool,
        typer.Option("--ncic", help="The file holds fixed-width records from NCIC, not CSV."),
    ] = False,
    columns: Annotated[
        str, typer.Option("--columns", help="With --ncic: where each field stands.")
    ] = "code=1,date=2-9,plate=10-19,state=20-21",
    agency: Annotated[
        str,
        typer.Option(
            "--agency", help="With --ncic: the originating agency, where no column names it."
        ),
    ] = "",
    case: Annotated[
        str,
        typer.Option(
            "--case",
            help="With --ncic: a reference, the same for each extract, where no column holds one.",
        ),
    ] = "",
    valid_days: Annotated[
        int,
        typer.Option(
            "--valid-days", min=1, max=31, help="With --ncic: days until its entries expire."
        ),
    ] = 2,
    as_of: Annotated[
        str,
        typer.Option(
            "--as-of",
            help="When the agency made the list. Without it, the file's own date counts.",
        ),
    ] = "",
    skip_bad_rows: Annotated[
        bool,
        typer.Option("--skip-bad-rows", help="Leave broken rows out. They are counted and listed."),
    ] = False,
    allow_empty: AllowEmpty = False,
    allow_shrink: AllowShrink = False,
    allow_older: AllowOlder = False,
    allow_unprotect: AllowUnprotect = False,
    allow_lost_zeros: AllowLostZeros = False,
    allow_returned: AllowReturned = False,
    allow_twins: AllowTwins = False,
    allow_bulk: AllowBulk = False,
    allow_no_plate_words: AllowNoPlateWords = False,
    allow_foreign: AllowForeign = False,
    allow_dates: AllowDates = False,
    allow_columns: AllowColumns = False,
    as_json: Json = False,
) -> None:
    """Import an agency's list. It replaces the one before."""
    from agent.city.hotlist_import import ImportOrder, import_into, ncic_layout
    from agent.city.hotlist_overview import overview
    from agent.city.moment import moment
    from agent.commands.hotlist.hotlist_output import print_overview
    from agent.core.hotlist.plausibility.doubts import Doubt

    now = moment("")
    layout = ncic_layout(columns, agency, case, valid_days, now.date()) if ncic else None
    given = {
        Doubt.EMPTY: allow_empty,
        Doubt.SHRINK: allow_shrink,
        Doubt.OLDER: allow_older,
        Doubt.UNPROTECT: allow_unprotect,
        Doubt.LOST_ZEROS: allow_lost_zeros,
        Doubt.RETURNED: allow_returned,
        Doubt.TWINS: allow_twins,
        Doubt.BULK: allow_bulk,
        Doubt.NO_PLATE: allow_no_plate_words,
        Doubt.FOREIGN: allow_foreign,
        Doubt.DATES: allow_dates,
        Doubt.COLUMNS: allow_columns,
    }
    allowed = frozenset(doubt for doubt, is_allowed in given.items() if is_allowed)
    order = ImportOrder(file, as_of, layout, skip_bad_rows=skip_bad_rows, allowed=allowed)
    done = import_into(city, order, now)
    print_overview(overview(city, now, done.table()), as_json=as_json)
