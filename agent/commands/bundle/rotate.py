"""`platewarden bundle rotate`: proposes a change of keys, to be signed by those who answer for
them: a key lost, stolen, or handed on; a recipient more or less.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.city_lock import only_writer
from agent.city.moment import moment
from agent.commands.city_options import City, Json, On
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def rotate(
    city: City,
    role: Annotated[
        list[str],
        typer.Option(
            "--role",
            help="Whose keys change: root, targets, policy, hotlist, software, keys-RECIPIENT, or "
            "online (snapshot and timestamp).",
        ),
    ],
    add: Annotated[
        list[Path] | None, typer.Option("--add", help="A new holder's public file (NAME.pub).")
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove", help="A holder's name, or the first eight letters or more of the key's id."
        ),
    ] = None,
    threshold: Annotated[
        int | None,
        typer.Option("--threshold", min=1, max=9, help="How many of them must sign from now on."),
    ] = None,
    end: Annotated[
        bool,
        typer.Option(
            "--end",
            help="For keys-RECIPIENT: nobody signs it any more, and nothing more is sealed to it.",
        ),
    ] = False,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Propose other keys for a role, after a key was lost, stolen or handed on, or for a new
    recipient.

    It changes nothing by itself: `bundle sign` shows it to those who must sign it (root's holders,
    or targets' for the delegated roles).

    With `--role hotlist` alone, a city of an earlier version gives its lists a key of their own.
    Update all cameras first (docs/ref/versions.md).
    """
    from agent.city.key_rotation import Rotation, propose

    with only_writer(city):
        rotation = Rotation(tuple(role), tuple(add or ()), tuple(remove or ()), threshold, end=end)
        done = propose(city, rotation, lambda rig: moment(on, rig=rig))
    if as_json:
        typer.echo(json.dumps(done.table(), ensure_ascii=True))
        return
    for line in done.lines():
        typer.echo(visible(line))
