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
    """Write one page of a city's cameras, whole and offline, as `fleet run` does where fleet.toml
    names it. It has the thousand most pressing.
    """
    from agent.fleet.fleet_run import write_seen
    from agent.fleet.fleet_settings import load
    from agent.fleet.fleet_store import FleetStore
    from agent.host.clock import SystemClock

    settings, now = load(folder), SystemClock().now().utc
    with FleetStore(folder) as store:
        cameras = write_seen(store, settings, now, page=out, metrics=metrics)
    typer.echo(f"{out}: {cameras:,} cameras")
