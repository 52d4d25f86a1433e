"""`platewarden bundle carry`: what is proposed, onto a stick for the others who sign."""

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
def carry(
    city: City,
    to: Annotated[Path, typer.Option("--to", help="The stick's folder.")],
    role: Annotated[
        list[str] | None,
        typer.Option("--role", help="Propose this role also when nothing changes (to renew it)."),
    ] = None,
    as_json: Json = False,
    on: On = "",
) -> None:
    """Propose what the drafts say, and copy it to a stick with what shows the difference.

    The others sign on the stick (`bundle sign --city STICK/platewarden-ID`), each on a copy of
    their own if you like. Afterwards `bundle take` adds their signatures here.

    The hot list and private keys never go with it. What the stick holds of this city is replaced,
    but not while it has signatures that are not here yet.
    """
    from agent.city.carriage import carry as carried

    with only_writer(city):
        load = carried(city, to, tuple(role or ()), lambda rig: moment(on, rig=rig))
    load.write()
    if as_json:
        typer.echo(json.dumps(load.table(), ensure_ascii=True))
        return
    for line in load.lines():
        typer.echo(visible(line))
