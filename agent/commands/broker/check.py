"""`platewarden broker check`: what a broker really does."""

import json
from typing import Annotated

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def check(
    folder: Folder,
    address: Annotated[
        str, typer.Option("--address", help="Dial this IP address; else each of the folder's.")
    ] = "",
    port: Annotated[int, typer.Option("--port", help="Dial this port; else the folder's.")] = 0,
    as_json: Json = False,
) -> None:
    """Try the broker out: TLS, access, messages, strangers, absence. Exit 1 if anything fails."""
    from agent.broker.broker_check import Check, Target
    from agent.broker.broker_folder import CHECK, BrokerFolder
    from agent.commands.doctor_page import WORD
    from agent.core.camera.diagnosis_findings import Finding, exit_code

    place = BrokerFolder(folder)
    ca = folder / "ca.pem"
    dialled = (address,) if address else place.place.addresses
    found: dict[str, list[Finding]] = {}
    for one in dialled:
        target = Target(
            *(place.place.host, one, port or place.place.port, ca, ca.read_bytes()),
            *(folder / CHECK, place.pin_digests),
        )
        if not as_json:
            typer.echo(target.where)
        found[target.where] = []
        for finding in Check(target).findings():
            found[target.where].append(finding)
            if not as_json:
                typer.echo(f"  {WORD[finding.health]:<5} {finding.name}: {finding.what}")
                if finding.fix:
                    typer.echo(f"        → {finding.fix}")
    if as_json:
        rows = {
            where: [
                {
                    "about": finding.name,
                    "state": WORD[finding.health],
                    "words": finding.what,
                    "fix": finding.fix,
                }
                for finding in of
            ]
            for where, of in found.items()
        }
        typer.echo(json.dumps(rows))
    raise typer.Exit(exit_code(finding for of in found.values() for finding in of))
