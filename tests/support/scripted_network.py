"""A reading network that says what a test has it say, and what a reader needs beside it."""

from datetime import UTC, datetime

import numpy as np

from agent.core.reading.plate_text import CHARACTERS
from agent.core.reading.sighting import Frame, PlateBox
from agent.core.time.instant import Instant
from agent.vision.ctc import BLANK
from agent.vision.recognizer import OnnxPlateReader

STEPS = 32
FEATURES = np.arange(160 * STEPS, dtype=np.float32).reshape(160, STEPS)
SURE = 12.0


def steps_of(text, *, doubt=()):
    """Logits that spell `text`; `doubt`: (place, other character, its logit)."""
    logits = np.zeros((STEPS, len(CHARACTERS) + 1), np.float32)
    logits[:, BLANK] = SURE
    for place, character in enumerate(text):
        step = 1 + 3 * place
        logits[step] = 0
        logits[step, 1 + CHARACTERS.index(character)] = SURE
    for place, character, logit in doubt:
        logits[1 + 3 * place, 1 + CHARACTERS.index(character)] = logit
    return logits


class ScriptedSession:
    """Gives the same logits whatever it is shown, and keeps what it was shown."""

    def __init__(self, logits, region=(0.0, 0.0, 0.0, 0.0)):
        self.logits = logits
        self.region = np.array(region, np.float32)
        self.fed = None
        self.asked = 0

    def run(self, output_names, input_feed):
        assert output_names == ["logits", "region", "features"]
        self.fed = input_feed["crop"]
        self.asked += 1
        return [
            np.repeat(answer[None], len(self.fed), axis=0)
            for answer in (self.logits, self.region, FEATURES)
        ]


def reader_of(session, issuer=None, reviewer=None):
    """Every plate looks whole to it: what limits a read has its own tests."""
    reader = OnnxPlateReader(session, None, issuer, reviewer=reviewer or session)
    reader._second_look = lambda _image, _box, view: (view, frozenset())
    return reader


def upright(x, y, width, height):
    return PlateBox(
        (x, y, width, height),
        ((x, y), (x + width, y), (x + width, y + height), (x, y + height)),
        0.9,
    )


def frame(width=320, height=240):
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Frame(image, Instant(datetime(2026, 1, 1, tzinfo=UTC)), 0)
