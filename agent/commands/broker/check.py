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
    from agent.broker.broker_check import FAIL, Check, Line, Target
    from agent.broker.broker_folder import CHECK, BrokerFolder

    place = BrokerFolder(folder)
    ca = folder / "ca.pem"
    dialled = (address,) if address else place.place.addresses
    found: dict[str, list[Line]] = {}
    for one in dialled:
        target = Target(
            *(place.place.host, one, port or place.place.port, ca, ca.read_bytes()),
            *(folder / CHECK, place.pin_digests),
        )
        if not as_json:
            typer.echo(target.where)
        found[target.where] = []
        for line in Check(target).lines():
            found[target.where].append(line)
            if not as_json:
                typer.echo(f"  {line.state:<5} {line.about}: {line.words}")
                if line.fix:
                    typer.echo(f"        → {line.fix}")
    if as_json:
        typer.echo(json.dumps({where: [_row(line) for line in of] for where, of in found.items()}))
    if any(line.state == FAIL for of in found.values() for line in of):
        raise typer.Exit(1)


def _row(line: object) -> dict[str, str]:
    return {name: getattr(line, name) for name in ("about", "state", "words", "fix")}
