"""`platewarden receiver hold open`: shows held reads to their holder."""

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
    hold: Annotated[str, typer.Argument(metavar="ID", help="The hold, as `hold list` names it.")],
    key: Annotated[
        Path, typer.Option("--key", help="The holder's private key, of `platewarden hold key`.")
    ],
    by: Annotated[
        str, typer.Option("--by", help="Who looks: a person's name. It stands in the log.")
    ],
    read_id: Annotated[
        str | None, typer.Argument(help="Which read. Without it, all that are held under it.")
    ] = None,
    as_json: Json = False,
    crop: Annotated[
        Path | None, typer.Option("--crop", help="Save the picture (JPEG) here. Needs one read.")
    ] = None,
) -> None:
    """Decrypt and show held reads, each a leaf of the hold log before it is shown.

    Needs the holder's key and this receiver's. What it shows is a lead, never a fact.
    """
    from contextlib import closing

    from agent.commands.receiver import lead_display
    from agent.disk.atomic_file import write_atomic
    from agent.errors import UsageError
    from agent.host.clock import TrustedClock
    from agent.host.memory import leave_no_core_dump
    from agent.receiver.holds.hold_desk import Asked
    from agent.receiver.opened_reads import picture_of
    from agent.receiver.workplace import Workplace

    leave_no_core_dump()
    if not by.strip() or len(by) > 100 or not by.isprintable():
        raise UsageError("is no person's name", where="--by", fix="give at most 100 characters")
    if crop is not None and read_id is None:
        raise UsageError("--crop needs one read", fix="name it: hold open DIR ID READ_ID --crop F")
    place, now = Workplace(folder), TrustedClock(folder).now()
    place.destroy_due(now)
    refused: list[RefusedError] = []
    with closing(place.store()) as store:
        for one in place.holds.opened(store, Asked(hold, read_id, key, by.strip()), now):
            if isinstance(one, RefusedError):  # the others can still be shown
                refused.append(one)
                continue
            shown = lead_display.as_json(one) if as_json else lead_display.as_text(one)
            typer.echo(json.dumps(shown) if as_json else shown)
            if crop is not None:
                write_atomic(crop, picture_of(one))
    if refused:
        raise refused[0]
