"""`platewarden software release`: drafts which version a city's cameras take, and which cameras
first; its signers then sign it.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.city_lock import only_writer
from agent.commands.city_options import City, Json
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def release(
    city: City,
    statement: Annotated[
        Path | None,
        typer.Option(
            "--statement",
            help="The release key's statement, as it came with the packages. Without it, the last "
            "release changes only whom it is for.",
        ),
    ] = None,
    package: Annotated[
        list[Path] | None,
        typer.Option("--package", help="A package of this version. May be given many times."),
    ] = None,
    share: Annotated[
        int,
        typer.Option("--share", min=0, max=100, help="For so many per cent of the cameras."),
    ] = 100,
    camera: Annotated[
        list[str] | None,
        typer.Option("--camera", help="For this camera, whatever the share. Many times."),
    ] = None,
    back: Annotated[
        bool,
        typer.Option("--back", help="Cameras that run a newer version go back to this one."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Draft a release of software: which version, and which cameras take it.

    Nothing is installed by it. The city's signers of role software sign it with `bundle sign`, and
    `bundle publish` brings it to the cameras, with the packages.
    """
    from agent.city.software_release import Asked, draft_release

    asked = Asked(statement, tuple(package or ()), share, frozenset(camera or ()), back)
    with only_writer(city):
        done = draft_release(city, asked)
    if as_json:
        typer.echo(json.dumps(done.table(), ensure_ascii=True))
        return
    for line in done.lines():
        typer.echo(visible(line))
