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
    etc: Annotated[
        Path, typer.Option("--etc", help="Where DIR/machine will lie on the broker's machine.")
    ] = Path("/etc/mosquitto/platewarden"),
    var: Annotated[Path, typer.Option("--var", help="Where the broker keeps what waits.")] = Path(
        "/var/lib/mosquitto"
    ),
) -> None:
    """Make a broker's folder: its CA, keys, access list and mosquitto.conf."""
    from pathlib import PurePosixPath

    from agent.broker.broker_folder import BrokerFolder, Place
    from agent.host.clock import SystemClock

    place = Place(host, tuple(address), port, PurePosixPath(etc), PurePosixPath(var))
    made = BrokerFolder.create(folder, place, SystemClock().now().utc)
    typer.echo(
        f"{folder / 'ca.pem'}: give it to cameras (in the policy's ca/) and recipients.\n"
        f"{folder / 'ca.key'}: signs certificates. Keep a copy of {folder} in a safe place.\n"
        f"pins: {made.pins[0]} (in use), {made.pins[1]} (the next key)\n"
        "Next: platewarden broker sign, then copy machine/ to the broker (docs/guide/broker.md)."
    )
