"""`platewarden bundle take`: signatures that others gave on a stick."""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.city.city_lock import PATIENCE_S, only_writer
from agent.city.moment import moment
from agent.commands.city_options import City, Json, On
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def take(
    city: City,
    stick: Annotated[Path, typer.Argument(help="The stick's folder, as given to `bundle carry`.")],
    as_json: Json = False,
    on: On = "",
) -> None:
    """Add the signatures on a stick to what is pending here, whatever the order of the sticks.

    A version that was begun on the stick is taken whole, with its drafts, if somebody who holds
    the role has signed it.

    Exit 3: something on the stick was left there; the line says why.
    """
    from agent.bundles.repository.published import CityRepository
    from agent.city.carriage import identity
    from agent.city.stick import folder_on, read_stick
    from agent.city.stick_merge import take as merge

    repository = CityRepository(city)
    named = identity(repository)
    carried = read_stick(folder_on(stick, named))  # before the lock: a stick may be slow
    with only_writer(city, PATIENCE_S):
        done = merge(repository, carried, moment(on, rig=named.rig))
    if as_json:
        typer.echo(json.dumps(done.table(), ensure_ascii=True))
    else:
        for one in done.taken:
            typer.echo(visible(one.line()))
        if not done.taken and not done.left:
            typer.echo("Nothing is pending on the stick.")
    for left in done.left:
        typer.echo(f"platewarden: {visible(left.line())}", err=True)
    raise typer.Exit(done.exit_code)
