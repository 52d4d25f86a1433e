"""Says which state issued a plate: a small network reads what is printed above and below the
number, and only a whole line of the closed list speaks.

Mitigates against: another state's plate with the listed text, told as the listed one (P10). A wrong
state would lose a lead, or make one look surer than it is. So whatever is in doubt stays unsaid.
Limits: a dealer's frame over the plate's own print may name a state. From 160 px of width on only:
below that the print is not there.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.vision.ctc import softmax
from agent.vision.issuer.closed_list import Line, line_of
from agent.vision.issuer.legends import counties
from agent.vision.issuer.strips import strips_of

NARROWEST_PX = 160.0
# Each letter of a name, in the mean: a name that comes out of noise has less.
LEAST_LETTER = 0.4

Map = NDArray[np.float32]


class Session(Protocol):
    """What is needed of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


class Issuer:
    """Implements recognizer.Issuer over the session of models/issuer.onnx.

    The session takes `strips` float32 N×1×48×192, grey, each standardised, and gives `logits`
    N×48×27 (blank, A–Z). `threshold`: from that share on a line may speak (closed_list.Line).
    `narrowest_px`: of plates that are looked at.
    """

    def __init__(
        self, session: Session, threshold: float, narrowest_px: float = NARROWEST_PX
    ) -> None:
        self._session, self._threshold, self._narrowest_px = session, threshold, narrowest_px

    def __call__(self, image: Image, box: PlateBox) -> str | None:
        """The state as `US-CA`; None where the print is too small, unsure, no state's, or two
        states'.
        """
        if box.rows != 1 or width_of(box) < self._narrowest_px:
            return None
        (logits,) = self._session.run(["logits"], {"strips": strips_of(image, box)})
        above, below = (line_of(softmax(steps)) for steps in logits)
        if below is not None and below.text in counties():
            below = None
        states = {line.state for line in (above, below) if line is not None and self._sure(line)}
        return states.pop() if len(states) == 1 else None

    def _sure(self, line: Line | None) -> bool:
        """May it speak? Written so that a NaN may not."""
        return line is not None and line.share >= self._threshold and line.letter >= LEAST_LETTER


def width_of(box: PlateBox) -> float:
    """Px, along the plate: the shorter of its upper and its lower edge."""
    top_left, top_right, bottom_right, bottom_left = box.corners
    return min(math.dist(top_left, top_right), math.dist(bottom_left, bottom_right))
