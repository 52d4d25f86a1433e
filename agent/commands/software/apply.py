"""`platewarden software apply`: tries the version that the city has released for this camera, keeps
it when its health is good, and goes back by itself when it is not.
"""

import json
import sys

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def apply(config: Config = CONFIG_FILE, as_json: Json = False) -> None:
    """Try the released version; keep it, or go back to the one before.

    For platewarden-software.service, as root. Exit 3: the released version was refused or rolled
    back, and the version before runs on.
    """
    from agent import settings
    from agent.sides.software.camera_software import CameraSoftware

    done = CameraSoftware.build(settings.load(config)).apply()
    if as_json:
        refused = str(done.refused) if done.refused else None
        runs = {"version": str(done.runs.version), "sha256": done.runs.sha256}
        print(visible(json.dumps({"runs": runs, "what": done.what, "refused": refused})))
    else:
        print(visible(f"runs {done.runs}: {done.what}"))
    if done.refused:
        print(visible(f"platewarden: {done.refused}"), file=sys.stderr)
        raise typer.Exit(done.refused.exit_code)
