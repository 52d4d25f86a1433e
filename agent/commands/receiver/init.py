"""`platewarden receiver init`: makes a receiver's folder and says what the city needs of it."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def init(
    folder: Folder,
    recipient: Annotated[str, typer.Option("--recipient", help="Your id in the city's policy.")],
    host: Annotated[
        str | None, typer.Option("--host", help="The broker's name in its certificate.")
    ] = None,
    address: Annotated[
        str | None, typer.Option("--address", help="The broker's IP address.")
    ] = None,
    port: Annotated[int, typer.Option("--port", help="The broker's port.")] = 8883,
    ca: Annotated[
        Path, typer.Option("--ca", help="The broker's CA certificate (PEM), relative to DIR.")
    ] = Path("broker-ca.pem"),
) -> None:
    """Make a receiver's folder: signing key, epoch keys, key list, receiver.toml."""
    from agent.core.text.encoding import b64url
    from agent.host.clock import SystemClock, TrustedClock
    from agent.receiver.receiver_settings import broker_typed
    from agent.receiver.workplace import KEY_LIST, Workplace

    broker = broker_typed(host, address, port, ca)
    place = Workplace.create(folder, recipient, SystemClock().now(), broker)
    TrustedClock(folder).attest()
    typer.echo(
        f'signing_key = "{b64url(place.signer().public_key)}"   # for your [[recipient]] in the '
        "city's policy"
    )
    typer.echo(
        f"Give {folder / KEY_LIST} to the city. Put its root.json and roster.jws into {folder}. "
        f"Leave {folder / 'epochs'} out of every backup."
    )
