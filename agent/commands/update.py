"""`platewarden update`: fetches signed bundles into bundles-in/. Trusted with nothing: the other
processes verify for themselves.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE

app = typer.Typer(add_completion=False)


@app.command()
def update(
    source: Annotated[
        Path | None,
        typer.Argument(
            help="A directory or a mounted stick. Without it, the addresses of the policy in "
            "force are asked over HTTPS.",
        ),
    ] = None,
    config: Config = CONFIG_FILE,
    as_json: Json = False,
) -> None:
    """Fetch signed bundles, from a stick or over HTTPS. The camera verifies them itself."""
    from agent import settings
    from agent.sides import update as update_side

    loaded = settings.load(config)
    done = update_side.from_folder(loaded, source) if source else update_side.from_network(loaded)
    if as_json:
        print(
            json.dumps(
                {"files": done.files, "timestamp": done.timestamp, "inbox": str(loaded.bundles)}
            )
        )
        return
    print(
        f"{done.files} files are new in {loaded.bundles} (timestamp version {done.timestamp}); "
        "`platewarden status` says what the camera made of them"
    )
