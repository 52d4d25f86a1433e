"""`platewarden broker sign`: certificates for cameras and recipients, many at once."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def sign(
    folder: Folder,
    requests: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…",
            help="Cameras' enrolment.json, or folders of them; with --recipient, its request.",
        ),
    ],
    recipient: Annotated[
        str,
        typer.Option(
            "--recipient",
            help="The one FILE is this recipient's request; ID.2 for its second receiver.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Sign requests for certificates, and write the access list anew."""
    from agent.broker.broker_folder import BrokerFolder
    from agent.broker.requests import from_cameras, from_recipient
    from agent.host.clock import SystemClock

    place, now = BrokerFolder(folder), SystemClock().now().utc
    wanted = from_recipient(recipient, requests) if recipient else from_cameras(requests)
    signed = place.sign_all(wanted, now)
    if as_json:
        rows = [
            {"name": one.name, "certificate": str(one.path), "until": one.until.date().isoformat()}
            for one in signed
        ]
        typer.echo(json.dumps({"signed": rows}))
        return
    for one in signed:
        typer.echo(f"{one.name}: {one.path}, until {one.until:%Y-%m-%d}")
    typer.echo(
        f"Give each its certificate. Then copy {place.access_files} to the broker and let it read "
        f"them again ({place.guide})."
    )
