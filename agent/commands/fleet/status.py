"""`platewarden fleet status`: who is well, who is silent, who needs a ladder."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from agent.commands.fleet.fleet_options import Folder, Json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.fleet.fleet_view import CameraState, Fleet

app = typer.Typer(add_completion=False)
MOST_LINES = 50


@app.command()
def status(
    folder: Folder,
    as_json: Json = False,
    all_: Annotated[
        bool, typer.Option("--all", help="Every camera, also those that are well.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            min=0,
            help="At most so many cameras. Without it 50, and all with --all or --json.",
        ),
    ] = None,
    skip: Annotated[
        int, typer.Option("--skip", min=0, help="Leave so many out first: for the next page.")
    ] = 0,
) -> None:
    """Show a city's cameras, whoever needs a ladder first: last heard, version, list and policy,
    clock, alarms, outbox, messages that never came.
    """
    from agent.core.text.visible import visible
    from agent.fleet.camera_troubles import Who
    from agent.fleet.fleet_run import seen
    from agent.fleet.fleet_settings import load
    from agent.fleet.fleet_store import FleetStore
    from agent.fleet.fleet_view import fleet_table
    from agent.host.clock import SystemClock

    settings = load(folder)
    with FleetStore(folder) as store:
        of = tuple(Who) if all_ or as_json else (Who.LADDER, Who.DESK)
        most = MOST_LINES if limit is None and not (all_ or as_json) else limit
        fleet = seen(store, settings, SystemClock().now().utc, most, skip, of)
        failing = [one for one in store.rings.states() if one.failures]
    if as_json:
        ringers = {one.ringer: one.words for one in failing}
        typer.echo(json.dumps({**fleet_table(fleet), "ringers_unheard": ringers}))
        return
    for line in _lines(fleet, skip, sum(fleet.count(who) for who in of)):
        typer.echo(visible(line))
    for ringer in failing:
        since = f"{ringer.failing_since:%Y-%m-%d %H:%M} UTC" if ringer.failing_since else "?"
        typer.echo(visible(f"RINGER  {ringer.ringer} is not heard since {since}: {ringer.words}"))


def _lines(fleet: "Fleet", skipped: int, wanted: int) -> "Iterator[str]":
    from agent.fleet.camera_troubles import Who
    from agent.fleet.fleet_view import counted

    counts = fleet.counts
    yield (
        f"{counts.cameras:,} cameras: {fleet.count(Who.LADDER):,} need a ladder, "
        f"{fleet.count(Who.DESK):,} the desk, {fleet.count(Who.NOBODY):,} are well"
    )
    yield f"software  {counted(counts.versions)}"
    yield f"policy    {counted(counts.policies)}"
    yield f"collector {fleet.link}"
    if fleet.strangers:
        yield f"strangers {fleet.strangers:,} messages under names of no camera"
    for one in fleet.cameras:
        yield _line(one)
        yield from (f"          {trouble.words}" for trouble in one.troubles)
    shown = skipped + len(fleet.cameras)
    if shown < wanted:
        yield f"… and {wanted - shown:,} more: --skip {shown}, or --all"


def _line(one: "CameraState") -> str:
    from agent.fleet.camera_troubles import Who

    word = {Who.LADDER: "LADDER", Who.DESK: "DESK", Who.NOBODY: "well"}[one.who]
    heard = "never heard" if one.silent_h is None else f"heard {one.silent_h} h ago"
    missed = f", {one.row.missed} messages never came" if one.row.missed else ""
    message = one.row.message
    version = f", {message.health.version}" if message else ""
    return f"{word:<7} {one.row.name}: {heard}{version}{missed}"
