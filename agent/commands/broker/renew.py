"""`platewarden broker renew`: a new certificate for the broker itself."""

import json
from typing import Annotated

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def renew(
    folder: Folder,
    next_key: Annotated[
        bool,
        typer.Option(
            "--next-key", help="Go over to the next key, whose pin the policy already has."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a new certificate for the broker. Its key stays, and so its pin."""
    from agent.broker.broker_folder import BrokerFolder
    from agent.host.clock import SystemClock

    place = BrokerFolder(folder)
    until = place.renew(SystemClock().now().utc, next_key=next_key)
    if as_json:
        told = {"until": until.date().isoformat(), "pins": list(place.pins)}
        typer.echo(json.dumps(told))
        return
    typer.echo(f"until {until:%Y-%m-%d}. Copy machine/ to the broker and start it again.")
    if next_key:
        typer.echo(f"pins for the policy now: {place.pins[0]} (in use), {place.pins[1]} (next)")
