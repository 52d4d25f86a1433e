"""Starts the camera side, without typer: a camera that starts again is blind until it is ready."""

import gc
import os
import sys
from pathlib import Path

from agent.commands.camera_output import CONFIG_FILE, summary, warn_unsigned
from agent.errors import CameraHungError


def start(
    config: Path = CONFIG_FILE,
    source: str = "picamera",
    stills: bool = False,
    settle_s: float = 0.0,
    allow_unsigned: bool = False,
    quiet: bool = False,
    as_json: bool = False,
) -> None:
    """Watch until the source ends or a signal comes. Raises PlatewardenError."""
    # numpy's BLAS starts a thread for each core when it is loaded, and the line multiplies no
    # matrices with it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.disable()  # what is loaded here stays
    from agent import settings
    from agent.core.log.closing_words import watch_words
    from agent.host.teller import Teller
    from agent.sides import watch as watch_side

    gc.freeze()
    gc.enable()
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
