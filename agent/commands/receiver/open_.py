"""`platewarden receiver open`: shows stored reads to a person who may see them."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder, Json
from agent.errors import RefusedError

app = typer.Typer(add_completion=False)


@app.command()
def open_(
    folder: Folder,
    read_id: Annotated[
        str | None,
        typer.Argument(help="Which read. Without it, all that are stored, in order of arrival."),
    ] = None,
    as_json: Json = False,  # typer makes a flag of it
    crop: Annotated[
        Path | None, typer.Option("--crop", help="Save the picture (JPEG) here. Needs one read.")
    ] = None,
) -> None:
    """Decrypt and show a stored read. What it shows is a lead, never a fact.

    Keys and reads past their deadline are destroyed first, and not shown.
    """
    from agent.commands.receiver import lead_display
    from agent.disk.atomic_file import write_atomic
    from agent.host.clock import TrustedClock
    from agent.host.memory import leave_no_core_dump
    from agent.receiver.opened_reads import opened_reads, picture_of
    from agent.receiver.workplace import Workplace

    leave_no_core_dump()
    refused: list[RefusedError] = []
    place = Workplace(folder)
    now = TrustedClock(folder).now()
    for one in opened_reads(place, read_id, now, for_picture=crop is not None):
        if isinstance(one, RefusedError):  # the others can still be shown
            refused.append(one)
            continue
        typer.echo(json.dumps(lead_display.as_json(one)) if as_json else lead_display.as_text(one))
        if crop is not None:
            write_atomic(crop, picture_of(one))
    if refused:
        raise refused[0]
