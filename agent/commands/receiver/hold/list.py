"""`platewarden receiver hold list`: the holds that were applied, and what is held under each."""

import json

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command(name="list")
def list_holds(folder: Folder, as_json: Json = False) -> None:
    """Show every hold that was ever applied here, with its end and its reads; no plate."""
    from contextlib import closing

    from agent.commands.receiver.hold.hold_display import as_table, as_text
    from agent.receiver.workplace import Workplace

    place = Workplace(folder)
    with closing(place.store()) as store:
        found = list(place.holds.listed(store))
    if as_json:
        typer.echo(json.dumps({"holds": [as_table(one) for one in found]}))
        return
    for one in found:
        typer.echo(as_text(one))
    if not found:
        typer.echo("no hold was ever applied here")
