"""`platewarden policy pole`: the pages behind the codes on the cameras' poles."""

from pathlib import Path
from typing import Annotated

import typer

from agent.commands.city_options import City, On

app = typer.Typer(add_completion=False)


@app.command()
def pole(
    city: City,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where to write CAMERA.html of each.")],
    report: Annotated[
        str, typer.Option(help="Where the report is: an https address, or a path beside the pages.")
    ],
    on: On = "",
) -> None:
    """Write for each camera the page that its pole's label leads to: who may be told what by it.

    From what is published and in force now, and from the city's log: make them again after each
    publication.
    """
    from agent.city.moment import moment
    from agent.city.pole_pages import pole_pages

    for path in pole_pages(city, out, report, moment(on)):
        typer.echo(f"written: {path}", err=True)
