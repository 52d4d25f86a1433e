"""`python -m tests.picamera.as_pi COMMAND…`: platewarden as on a Pi, over the real picamera2 and
the virtual camera.
"""

import os
from pathlib import Path

from agent.cli import main
from tests.picamera import glue, stalling

if __name__ == "__main__":
    glue.install()
    if file := os.environ.get(stalling.STALL_FILE):
        stalling.install(Path(file))
    main()
