"""`platewarden run`: starts watch and deliver as two processes, and stops both together. For a
laptop or a rig.
"""

import json
from typing import Annotated

import typer

from agent.commands.camera_options import Config, Quiet, Stills, SummaryJson
from agent.commands.camera_output import CONFIG_FILE

app = typer.Typer(add_completion=False)


@app.command()
def run(
    config: Config = CONFIG_FILE,
    source: Annotated[
        str,
        typer.Option(
            "--source", help="Play a folder of images, an image, a video, usb:N or picamera."
        ),
    ] = "picamera",
    stills: Stills = False,
    settle_s: Annotated[
        float,
        typer.Option("--settle", help="When the source has ended: seconds to wait for receipts."),
    ] = 30.0,
    quiet: Quiet = False,
    as_json: SummaryJson = False,
) -> None:
    """Watch a source and deliver what the policy releases, until the source ends or SIGTERM."""
    from agent.core.log.closing_words import both, receipt_words, watch_words
    from agent.host.process_pair import Ended, run_pair

    def closing(ended: Ended) -> None:
        if as_json:
            print(json.dumps(both(ended.watch, ended.deliver)), flush=True)
        elif not quiet:
            print(watch_words(ended.watch, receipt_words(ended.deliver)), flush=True)

    run_pair(config, source, settle_s, closing, stills=stills, quiet=quiet)
