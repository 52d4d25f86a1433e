"""`platewarden walls`: verifies the bundles for itself and writes the kernel's rules around the
other processes. Once, as root, without a network.
"""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from agent.commands.camera_options import Config, Json
from agent.commands.camera_output import CONFIG_FILE

app = typer.Typer(add_completion=False)


@app.command()
def walls(
    config: Config = CONFIG_FILE,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Write the three files into this folder and apply nothing."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Write nftables and systemd rules. With them, deliver reaches the brokers of the verified
    policy and nobody else.
    """
    from agent import settings
    from agent.sides import walls as walls_side

    done = walls_side.run(settings.load(config), out)
    deliver, update = (
        [
            f"{address}:{port}" if ":" not in address else f"[{address}]:{port}"
            for address, port in gate
        ]
        for gate in (done.gates.brokers, done.gates.sources)
    )
    if as_json:
        refused = str(done.refused) if done.refused else None
        print(
            json.dumps(
                {
                    "deliver": deliver,
                    "update": update,
                    "made_from": done.made_from,
                    "refused": refused,
                    "files": [str(path) for path in done.files],
                }
            )
        )
    else:
        print(
            f"deliver may reach: {', '.join(deliver) or 'nobody'}; update: "
            f"{', '.join(update) or 'nobody'} (from {done.made_from})"
        )
    if done.refused:
        print(f"platewarden: {done.refused}", file=sys.stderr)
        raise typer.Exit(done.refused.exit_code)
