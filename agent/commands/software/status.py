"""`platewarden software status`: which version this camera runs, which one is tried, and what
happened.
"""

import json

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def status(config: Config = CONFIG_FILE, as_json: Json = False) -> None:
    """Show which version runs, which one is on trial, and the last steps."""
    from agent import settings
    from agent.sides.software.software_state import collect, lines

    state = collect(settings.load(config))
    if as_json:
        print(visible(json.dumps(state, ensure_ascii=False)))
        return
    for line in lines(state):
        print(visible(line))
