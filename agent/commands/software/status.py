"""`platewarden software status`: which version this camera runs, which one is tried, and what
happened.
"""

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE, tell_state

app = typer.Typer(add_completion=False)


@app.command()
def status(config: Config = CONFIG_FILE, as_json: Json = False) -> None:
    """Show which version runs, which one is on trial, and the last steps."""
    from agent import settings
    from agent.sides.software.software_state import collect, lines

    state = collect(settings.load(config))
    tell_state(state, lines(state), as_json=as_json)
