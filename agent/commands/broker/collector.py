"""`platewarden broker collector`: a certificate for the city's `fleet run` or `audit collect`."""

import json

import typer

from agent.commands.broker.broker_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def collector(folder: Folder, as_json: Json = False) -> None:
    """Make a key and certificate for `fleet run` or `audit collect --broker`, which take in how
    cameras are and how far their logs have come. An earlier one is revoked.
    """
    from agent.broker.broker_folder import CA, COLLECTORS, BrokerFolder
    from agent.broker.place import SETTINGS
    from agent.host.clock import SystemClock

    place = BrokerFolder(folder)
    signed = place.sign_collector(SystemClock().now().utc)
    if as_json:
        until = signed.until.date().isoformat()
        row = {"name": signed.name, "certificate": str(signed.path), "until": until}
        typer.echo(json.dumps({"signed": [row]}))
        return
    typer.echo(f"{signed.name}: {signed.path}, until {signed.until:%Y-%m-%d}")
    typer.echo(
        f"Whoever collects elsewhere needs {SETTINGS}, {CA} and {COLLECTORS}/ of this folder. "
        f"Copy {place.access_files} to the broker and let it read them again ({place.guide})."
    )
