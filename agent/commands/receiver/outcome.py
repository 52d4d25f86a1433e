"""`platewarden receiver outcome`: reports to the camera what became of a lead."""

import json
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder, Json
from agent.core.wire.receipt import Disposition

app = typer.Typer(add_completion=False)


@app.command()
def outcome(
    folder: Folder,
    read_id: Annotated[str, typer.Argument(help="Which read, as `receiver open` shows it.")],
    disposition: Annotated[
        Disposition, typer.Argument(metavar="OUTCOME", help=", ".join(Disposition))
    ],
    camera: Annotated[
        str, typer.Option(help="Whose read it was, where it is no longer stored here.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Sign what became of a lead, for the camera's log. The first outcome of a read stands.

    `receiver run` sends it. It says no plate and no name.
    """
    from agent.host.clock import TrustedClock
    from agent.receiver.lead_reports import report
    from agent.receiver.workplace import Workplace

    told = report(Workplace(folder), read_id, disposition, TrustedClock(folder).now(), camera)
    if as_json:
        line = {"read": told.read_id, "device": told.device, "outcome": told.disposition.value}
        typer.echo(json.dumps(line))
        return
    typer.echo(f"read {told.read_id}, camera {told.device}: {told.disposition.value}, signed")
