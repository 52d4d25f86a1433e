"""`platewarden software settle`: ends a trial that was cut off. The version before runs again, and
the log is told.
"""

from typing import Annotated

import typer

from agent.commands.camera_options import Config
from agent.commands.camera_output import CONFIG_FILE
from agent.core.text.visible import visible

app = typer.Typer(add_completion=False)


@app.command()
def settle(
    config: Config = CONFIG_FILE,
    boot: Annotated[
        bool, typer.Option("--boot", help="The machine boots: nothing is to be started anew.")
    ] = False,
) -> None:
    """End a trial that was cut off, and go back to the version before.

    For systemd, as root: at boot, and after `software apply`, however that ended.
    """
    from agent import settings
    from agent.sides.software.camera_software import CameraSoftware

    done = CameraSoftware.build(settings.load(config)).settle(booting=boot)
    print(visible(f"runs {done.runs}"))
