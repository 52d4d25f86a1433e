"""`platewarden status`: what a camera obeys, until when, what it refused and why, whether its clock
is trusted, what waits. Reads files only.
"""

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE
from agent.commands.status_output import show

app = typer.Typer(add_completion=False)


@app.command()
def status(
    config: Config = CONFIG_FILE,
    as_json: Json = False,
) -> None:
    """Show what this camera obeys, until when, what it refused and why, and what waits."""
    show(config, as_json)
