"""`platewarden hotlist show`: what the list holds, in numbers."""

import typer

from agent.commands.city_options import City, Json

app = typer.Typer(add_completion=False)


@app.command()
def show(city: City, as_json: Json = False) -> None:  # typer makes a flag of it
    """Show what the list holds, in numbers."""
    from agent.city.hotlist_overview import overview
    from agent.city.moment import moment
    from agent.commands.hotlist.hotlist_output import print_overview

    print_overview(overview(city, moment("")), as_json=as_json)
