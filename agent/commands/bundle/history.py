"""`platewarden bundle history`: who was listed when, on which basis, and who signed that."""

import json
from typing import Annotated

import typer

from agent.commands.city_options import City, Json
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def history(
    city: City,
    recipient: Annotated[str, typer.Option(help="Only what is about this one.")] = "",
    as_json: Json = False,
) -> None:
    """Tell which recipients and rules were added, changed or ended when, and who signed that.

    It is read from the archive of everything that the city has published, signatures included.
    """
    from agent.city.in_force import history as events

    found = [one for one in events(city) if not recipient or one.recipient == recipient]
    if as_json:
        typer.echo(json.dumps({"events": [one.table() for one in found]}, ensure_ascii=True))
        return
    for one in found:
        typer.echo(visible(one.line()))
    if not found:
        typer.echo("Nothing of that is in the archive.")
