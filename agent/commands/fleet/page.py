"""`platewarden fleet page`: a city's cameras on one offline page."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.fleet.fleet_options import Folder

app = typer.Typer(add_completion=False)


@app.command()
def page(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="FILE", help="Where the page is written.")],
    metrics: Annotated[
        Path | None,
        typer.Option("--metrics", help="Write Prometheus' text there, too, of the same moment."),
    ] = None,
) -> None:
    """Write one page of all cameras, whole and offline, as `fleet run` does where fleet.toml names
    it.
    """
    from agent.fleet.fleet_run import seen, write_shown
    from agent.fleet.fleet_settings import load
    from agent.fleet.fleet_store import FleetStore
    from agent.host.clock import SystemClock

    settings = load(folder)
    with FleetStore(folder) as store:
        fleet = seen(store, settings, SystemClock().now().utc)
    write_shown(fleet, out, metrics)
    typer.echo(f"{out}: {len(fleet.cameras):,} cameras")
