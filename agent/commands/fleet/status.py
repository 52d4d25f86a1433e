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
) -> None:
    """Show a city's cameras, whoever needs a ladder first: last heard, version, list and policy,
    clock, alarms, outbox, messages that never came.
    """
    from agent.core.text.visible import visible
    from agent.fleet.fleet_run import seen
    from agent.fleet.fleet_settings import load
    from agent.fleet.fleet_store import FleetStore
    from agent.fleet.fleet_view import fleet_table
    from agent.host.clock import SystemClock

    settings = load(folder)
    with FleetStore(folder) as store:
        fleet = seen(store, settings, SystemClock().now().utc)
        failing = [one for one in store.rings.states() if one.failures]
    if as_json:
        ringers = {one.ringer: one.words for one in failing}
        typer.echo(json.dumps({**fleet_table(fleet), "ringers_unheard": ringers}))
        return
    for line in _lines(fleet, everyone=all_):
        typer.echo(visible(line))
    for ringer in failing:
        since = f"{ringer.failing_since:%Y-%m-%d %H:%M} UTC" if ringer.failing_since else "?"
        typer.echo(visible(f"RINGER  {ringer.ringer} is not heard since {since}: {ringer.words}"))


def _lines(fleet: "Fleet", *, everyone: bool) -> "Iterator[str]":
    from agent.fleet.fleet_view import Who, counted

    yield (
        f"{len(fleet.cameras):,} cameras: {fleet.count(Who.LADDER):,} need a ladder, "
        f"{fleet.count(Who.DESK):,} the desk, {fleet.count(Who.NOBODY):,} are well"
    )
    yield f"software  {counted(fleet.versions)}"
    yield f"policy    {counted(fleet.policies)}"
    yield f"collector {fleet.link}"
    if fleet.strangers:
        yield f"strangers {fleet.strangers:,} messages under names of no camera"
    wanted = [one for one in fleet.cameras if everyone or one.who is not Who.NOBODY]
    shown = wanted if everyone else wanted[:MOST_LINES]
    yield from map(_line, shown)
    if len(shown) < len(wanted):
        yield f"… and {len(wanted) - len(shown):,} more: --all"


def _line(one: "CameraState") -> str:
    from agent.fleet.fleet_view import Who

    word = {Who.LADDER: "LADDER", Who.DESK: "DESK", Who.NOBODY: "well"}[one.who]
    heard = "never heard" if one.silent_h is None else f"heard {one.silent_h} h ago"
    missed = f", {one.row.missed} messages never came" if one.row.missed else ""
    message = one.row.message
    version = f", {message.health.version}" if message else ""
    troubles = "".join(f"\n          {trouble.words}" for trouble in one.troubles)
    return f"{word:<7} {one.row.name}: {heard}{version}{missed}{troubles}"
