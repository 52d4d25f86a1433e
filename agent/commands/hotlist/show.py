"""`platewarden hotlist show`: what the list holds, in numbers, and which acts are on their way."""

import json
from typing import Annotated

import typer

from agent.commands.city_options import Json
from agent.commands.hotlist.hotlist_options import City
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def show(
    city: City,
    pending: Annotated[
        bool,
        typer.Option("--pending", help="Only the acts by hand that some camera may not have yet."),
    ] = False,
    as_json: Json = False,  # typer makes a flag of it
) -> None:
    """Show what the list holds, in numbers."""
    from agent.city.hotlist_overview import overview
    from agent.city.hotlist_way import held, on_its_way
    from agent.city.moment import moment
    from agent.commands.hotlist.hotlist_output import print_overview

    now = moment("")
    if not pending:
        print_overview(overview(city, now), as_json=as_json)
        return
    found, steps = held(city), on_its_way(city, now)
    if as_json:
        hold = found.table() if found else None
        print(json.dumps({"cameras_hold": hold, "pending": [one.table() for one in steps]}))
        return
    print(f"cameras: {found.told()}" if found else "cameras: no list is published")
    for one in steps:
        print(visible(one.told()))
    if not steps:
        print("Every act has reached the last camera, or its list has ended.")
