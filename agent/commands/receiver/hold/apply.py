"""`platewarden receiver hold apply`: takes a signed hold in, and seals its reads to the holder."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.receiver.receiver_options import Folder, Json

app = typer.Typer(add_completion=False)


@app.command()
def apply(
    folder: Folder,
    hold: Annotated[Path, typer.Argument(metavar="HOLD", help="The signed hold, a file.")],
    as_json: Json = False,
) -> None:
    """Obey a signed hold: seal what it names to its holder, until it ends. All else dies on time.

    `receiver run` does the same for its reads that still come, and ends it on its day.
    """
    from contextlib import closing

    from agent.commands.receiver.hold.hold_display import as_table, as_text
    from agent.disk.input_file import read_input
    from agent.host.clock import TrustedClock
    from agent.host.memory import leave_no_core_dump
    from agent.receiver.workplace import Workplace
    from agent.verifying.hold_check import MAX_BYTES

    leave_no_core_dump()
    record = read_input(hold, MAX_BYTES, missing="name the file that `platewarden hold sign` made")
    place, now = Workplace(folder), TrustedClock(folder).now()
    place.destroy_due(now)
    with closing(place.store()) as store:
        listed = place.holds.apply(store, record, now)
    typer.echo(json.dumps(as_table(listed)) if as_json else as_text(listed))
