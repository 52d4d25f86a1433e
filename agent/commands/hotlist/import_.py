"""`platewarden hotlist import`: takes an agency's list in, in place of the one before."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import City, Json

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
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Take a list that leaves no entry at all.")
    ] = False,
    allow_shrink: Annotated[
        bool,
        typer.Option("--allow-shrink", help="Take a list of less than half of what was held."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Import an agency's list. It replaces the one before."""
    from agent.city.hotlist_import import ImportOrder, import_into, ncic_layout
    from agent.city.hotlist_overview import overview
    from agent.city.moment import moment
    from agent.commands.hotlist.hotlist_output import print_overview

    now = moment("")
    layout = ncic_layout(columns, agency, case, valid_days, now.date()) if ncic else None
    order = ImportOrder(
        file,
        as_of,
        layout,
        skip_bad_rows=skip_bad_rows,
        allow_empty=allow_empty,
        allow_shrink=allow_shrink,
    )
    done = import_into(city, order, now)
    print_overview(overview(city, now, done.table()), as_json=as_json)
