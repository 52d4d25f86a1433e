"""`platewarden broker remove`: takes a camera or a recipient off the broker."""

import json

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def remove(
    folder: Folder,
    name: str = typer.Argument(metavar="ID", help="The camera or recipient."),
    as_json: Json = False,
) -> None:
    """Take a camera or a recipient off the access list, and revoke its certificate."""
    from agent.broker.broker_folder import BrokerFolder
    from agent.host.clock import SystemClock

    made = BrokerFolder(folder)
    made.remove(name, SystemClock().now().utc)
    typer.echo(
        json.dumps({"removed": name})
        if as_json
        else f"{name}: removed. It is shut out once the broker has read {made.access_files} again "
        f"({made.guide})."
    )
