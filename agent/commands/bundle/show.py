"""`platewarden bundle show`: who holds which key, how many must sign, what is published and
pending, and what expires when.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.moment import moment
from agent.commands.city_options import City, Json, On
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def show(
    city: City,
    calendar: Annotated[
        Path | None,
        typer.Option(
            "--calendar", help="Write every expiry into this calendar file (.ics), with reminders."
        ),
    ] = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Show who holds which key, how many must sign, what is pending, and what expires when."""
    from agent.city.overview import overview
    from agent.disk.atomic_file import write_atomic

    seen = overview(city, moment(on, rig=True))  # ahead of the time as well: it signs nothing
    if calendar is not None:
        write_atomic(calendar, seen.calendar(), 0o644)
    if as_json:
        typer.echo(json.dumps(seen.table(), ensure_ascii=True))
        return
    for line in seen.lines():
        typer.echo(visible(line))
    if calendar is not None:
        typer.echo(f"Calendar: {calendar}")
