"""`platewarden software show`: what a city has released, who signed it, whether its packages are
there.
"""

import json

import typer

from agent.commands.city_options import City, Json
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def show(city: City, as_json: Json = False) -> None:
    """Show which version is released, for which cameras, and who signed it."""
    from agent.city.software_release import released

    found = released(city)
    if as_json:
        typer.echo(json.dumps(found.table(), ensure_ascii=True))
        return
    for line in found.lines():
        typer.echo(visible(line))
