"""`platewarden broker init`: makes a broker's folder."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.broker.broker_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def init(
    folder: Folder,
    host: Annotated[
        str, typer.Option("--host", help="The broker's name, as it stands in its certificate.")
    ],
    address: Annotated[
        list[str], typer.Option("--address", help="An IP address of the broker. May be repeated.")
    ],
    port: Annotated[int, typer.Option("--port", help="The broker's port.")] = 8883,
    software: Annotated[
        str,
        typer.Option("--software", help="mosquitto, or rabbitmq with one, three or five machines."),
    ] = "mosquitto",
    etc: Annotated[
        Path | None,
        typer.Option(
            "--etc",
            help="Where DIR/machine will lie on the broker's machine; else platewarden/ in its "
            "own folder under /etc.",
        ),
    ] = None,
    var: Annotated[Path, typer.Option("--var", help="Where the broker keeps what waits.")] = Path(
        "/var/lib/mosquitto"
    ),
) -> None:
    """Make a broker's folder: its CA, keys, access list and configuration."""
    from pathlib import PurePosixPath

    from agent.broker.broker_folder import BrokerFolder
    from agent.broker.place import ETC, RABBITMQ, RABBITMQ_ETC, Place
    from agent.host.clock import SystemClock

    there = PurePosixPath(etc) if etc else RABBITMQ_ETC if software == RABBITMQ else ETC
    place = Place(host, tuple(address), port, there, PurePosixPath(var), software)
    made = BrokerFolder.create(folder, place, SystemClock().now().utc)
    typer.echo(
        f"{folder / 'ca.pem'}: give it to cameras (in the policy's ca/) and recipients.\n"
        f"{folder / 'ca.key'}: signs certificates. Keep a copy of {folder} in a safe place.\n"
        f"pins: {made.pins[0]} (in use), {made.pins[1]} (the next key)\n"
        f"Next: platewarden broker sign, then copy machine/ to the broker ({made.guide})."
    )
