"""`platewarden watch`: the camera side. Sees, decides, seals; has no network."""

from typing import Annotated

import typer

from agent.commands.camera_options import AllowUnsigned, Config, Quiet, Stills, SummaryJson
from agent.commands.camera_output import CONFIG_FILE
from agent.commands.watch_start import start

app = typer.Typer(add_completion=False)


@app.command()
def watch(
    config: Config = CONFIG_FILE,
    source: Annotated[
        str,
        typer.Option("--source", help="A folder of images, an image, a video, usb:N or picamera."),
    ] = "picamera",
    stills: Stills = False,
    settle_s: Annotated[
        float,
        typer.Option("--settle", help="When the source has ended: seconds to wait for receipts."),
    ] = 0.0,
    allow_unsigned: AllowUnsigned = False,
    quiet: Quiet = False,
    as_json: SummaryJson = False,
) -> None:
    """Watch a camera or a source, and seal what the policy releases."""
    start(config, source, stills, settle_s, allow_unsigned, quiet, as_json)
