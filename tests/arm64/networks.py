"""Run with the unpacked package's libraries and models, nothing else: the seven networks load by
the manifest's hashes and look at a grey frame.
"""

import sys
from datetime import UTC, datetime

sys.path.insert(0, "/usr/lib/platewarden")

import numpy as np  # the path must be set first

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.vision.model_loader import load_vision

detector, reader = load_vision()
frame = Frame(
    np.full((480, 640, 3), 120, np.uint8), Instant(datetime(2027, 1, 15, 12, tzinfo=UTC)), 0
)
if detector.find_plates(frame):
    sys.exit("a plate was found where there is none")
