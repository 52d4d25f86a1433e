"""Fakes for the vision ports: plates come from a script instead of a model, so that tests are exact
and fast.

plates = [FakePlate("TEST123", box=(40, 60, 120, 30))]
detector, reader = FakeDetector(plates), FakeReader(plates)      # the same plates in every frame
detector = FakeDetector(lambda frame: plates if frame.sequence < 3 else [])
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import Alternative, Frame, PlateBox, PlateRead


@dataclass(frozen=True, slots=True)
class FakePlate:
    """One plate that the fakes see.

    An empty `text` is a plate that was found but could not be read.
    """

    text: str
    box: tuple[float, float, float, float] = (10.0, 20.0, 100.0, 30.0)
    confidence: float = 0.95
    found: float = 0.9  # the detector's own confidence
    region: str = "us"
    state: str | None = None
    alternatives: tuple[tuple[str, float], ...] = ()

    def plate_box(self) -> PlateBox:
        """The box with its upright corners, clockwise from the top left."""
        x, y, w, h = self.box
        return PlateBox(self.box, ((x, y), (x + w, y), (x + w, y + h), (x, y + h)), self.found)


Script = Sequence[FakePlate] | Callable[[Frame], Sequence[FakePlate]]


def _plates(script: Script, frame: Frame) -> Sequence[FakePlate]:
    return script(frame) if callable(script) else script


class FakeDetector:
    """Implements ports.PlateDetector over a script; best first, as the port promises."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def find_plates(self, frame: Frame) -> Sequence[PlateBox]:
        """The scripted plates of this frame."""
        return sorted(
            (plate.plate_box() for plate in _plates(self.script, frame)),
            key=lambda box: -box.confidence,
        )


class FakeGate:
    """Implements ports.MotionGate: any pixel that differs is a change."""

    def __init__(self) -> None:
        self._now: np.ndarray | None = None
        self._looked: np.ndarray | None = None

    def changed(self, frame: Frame) -> bool:
        """Whether the picture is another one."""
        self._now = frame.image
        return self._looked is None or not np.array_equal(self._looked, self._now)

    def looked(self, now: datetime, *, news: bool) -> None:
        """The next ones are compared with this one."""
        self._looked = self._now


class FakeReader:
    """Implements ports.PlateReader over the same script; a box that is not in the script is
    unreadable.
    """

    def __init__(self, script: Script) -> None:
        self.script = script

    def read(self, frame: Frame, box: PlateBox) -> PlateRead:
        """The scripted text for this very box."""
        plate = next(
            (plate for plate in _plates(self.script, frame) if plate.box == box.box),
            FakePlate("", box.box),
        )
        confidence = plate.confidence if plate.text else 0.0
        x, y, w, h = (max(0, int(value)) for value in box.box)
        return PlateRead(
            box=box,
            text=PlateText(plate.text),
            confidence=confidence,
            char_confidence=(confidence ** (1 / len(plate.text)),) * len(plate.text)
            if plate.text
            else (),
            alternatives=tuple(
                Alternative(PlateText(text), probability)
                for text, probability in plate.alternatives
            ),
            region=plate.region if plate.text else "unknown",
            state=plate.state,
            crop=np.ascontiguousarray(frame.image[y : y + h, x : x + w]),
            sharpness=100.0,
            captured=frame.captured,
        )
