"""`platewarden hotlist remove`: withdraws a plate, imported or added by hand."""

import json
from typing import Annotated

import typer

from agent.commands.city_options import City, Json
from agent.commands.hotlist.hotlist_options import By, State, Why, plate

app = typer.Typer(add_completion=False)


@app.command()
def remove(
    city: City,
    state: State,
    by: By,
    why: Why,
    case: Annotated[
        str,
        typer.Option(
            "--case", help="Only the entry of this case. Without it, all entries of the plate."
        ),
    ] = "",
    protection: Annotated[
        bool, typer.Option("--protection", help="Also end a protection (never-release).")
    ] = False,
    as_json: Json = False,
) -> None:
    """Withdraw a plate, imported or added. The plate is asked for, or read from standard input."""
    from agent.city.hotlist_acts import Actor, Meant, withdraw_entries
    from agent.city.moment import moment

    now = moment("")
    meant = Meant(plate(), state, case, protection=protection)
    count = withdraw_entries(city, meant, Actor(by, why, now))
    typer.echo(
        json.dumps({"withdrawn": count})
        if as_json
        else f"withdrawn: {count} entries. They raise nothing after the camera's next start."
    )
