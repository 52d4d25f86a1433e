"""`platewarden run`: starts watch and deliver as two processes, and stops both together. For a
laptop or a rig.
"""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False)


@app.command()
def run(
    config: Annotated[Path, typer.Option("--config", help="Settings file.")] = Path(
        "/etc/platewarden/platewarden.toml"
    ),
    source: Annotated[
        str,
        typer.Option(
            "--source", help="Play a folder of images, an image, a video, usb:N or picamera."
        ),
    ] = "picamera",
    settle_s: Annotated[
        float,
        typer.Option("--settle", help="When the source has ended: seconds to wait for receipts."),
    ] = 30.0,
) -> None:
    """Watch a source and deliver what the policy releases, until the source ends or SIGTERM."""
    from agent.host.process_pair import run_pair

    run_pair(config, source, settle_s)
