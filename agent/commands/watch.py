"""`platewarden watch`: the camera side. Sees, decides, seals; has no network."""

import os
import sys
from typing import Annotated

import typer

from agent.commands.camera_options import (
    CONFIG_FILE,
    AllowUnsigned,
    Config,
    Quiet,
    Stills,
    SummaryJson,
    summary,
    warn_unsigned,
)
from agent.errors import CameraHungError

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
    from agent import settings
    from agent.core.log.closing_words import watch_words
    from agent.host.teller import Teller
    from agent.sides import watch as watch_side

    loaded = settings.load(config)
    warn_unsigned(loaded.anchor, allow_unsigned=allow_unsigned, quiet=quiet)
    teller = Teller("watch", quiet=quiet)

    try:
        watch_side.run(
            loaded,
            source,
            stills=stills,
            settle_s=settle_s,
            allow_unsigned=allow_unsigned,
            teller=teller,
            closing=summary(teller, watch_words, as_json=as_json),
        )
    except CameraHungError as error:
        # the log is closed; what is left would wait for a dead thread, and systemd for us
        print(f"platewarden: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_code)
