"""The measured process of `bench.watch_day`: a whole `watch`, whose frames come by standard input.

    python -m bench.watch_day_child CONFIG WIDTH HEIGHT

Each frame is its time in milliseconds, 8 bytes, and its pixels, BGR; in between whoever sends them
looks at this process's memory.
"""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # as agent/commands/watch_start.py has it

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from agent.core.reading.sighting import Frame
from agent.core.time.instant import ClockTrust, Instant
from bench.played_watch import play


class Sent:
    """A frame source: what comes by standard input."""

    def __init__(self, width, height):
        self._shape, self._begun = (height, width, 3), datetime.now(UTC)

    def frames(self):
        number = 0
        while at := sys.stdin.buffer.read(8):
            image = np.empty(self._shape, np.uint8)
            sys.stdin.buffer.readinto(memoryview(image).cast("B"))
            captured = self._begun + timedelta(milliseconds=int.from_bytes(at))
            yield Frame(image, Instant(captured, ClockTrust.OS), number)
            number += 1

    def close(self):
        """As FrameSource.close."""


if __name__ == "__main__":
    play(Sent(int(sys.argv[2]), int(sys.argv[3])), Path(sys.argv[1]))
