"""Says which state issued a plate: a small network reads what is printed above and below the
number, and only a whole line of the closed list speaks.

Mitigates against: another state's plate with the listed text, told as the listed one (P10). A wrong
state would lose a lead, or make one look surer than it is. So whatever is in doubt stays unsaid.
Limits: a dealer's frame over the plate's own print may name a state. From 120 px of width on only:
below that the print is not there.
"""

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Image, PlateBox
from agent.vision.ctc import softmax
from agent.vision.issuer.names import counties, state_of
from agent.vision.issuer.strips import strips_of

NARROWEST_PX = 120.0
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # behind CTC's blank, as the network gives them

Map = NDArray[np.float32]


class Session(Protocol):
    """What is needed of an onnxruntime session."""

    def run(self, output_names: list[str] | None, input_feed: dict[str, Map]) -> list[Map]: ...


class Issuer:
    """Implements recognizer.Issuer over the session of models/issuer.onnx.

    The session takes `strips` float32 N×1×32×192, grey, each standardised, and gives `logits`
    N×96×27 (blank, A–Z). `threshold`: from that probability of a line on it may speak.
    """

    def __init__(self, session: Session, threshold: float) -> None:
        self._session, self._threshold = session, threshold

    def __call__(self, image: Image, box: PlateBox) -> str | None:
        """The state as `US-CA`; None where the print is too small, unsure, no state's, or two
        states'.
        """
        if box.rows != 1 or width_of(box) < NARROWEST_PX:
            return None
        (logits,) = self._session.run(["logits"], {"strips": strips_of(image, box)})
        above, below = (line_of(softmax(steps)) for steps in logits)
        said = {self._spoken(above), None if below[0] in counties() else self._spoken(below)}
        states = said - {None}
        return states.pop() if len(states) == 1 else None

    def _spoken(self, line: tuple[str, float]) -> str | None:
        """The state that a line names, if it is sure enough. Written so that a NaN is not."""
        text, probability = line
        return state_of().get(text) if probability >= self._threshold else None


def width_of(box: PlateBox) -> float:
    """Px, along the plate: the shorter of its upper and its lower edge."""
    top_left, top_right, bottom_right, bottom_left = box.corners
    return min(math.dist(top_left, top_right), math.dist(bottom_left, bottom_right))


def line_of(steps: Map) -> tuple[str, float]:
    """The likeliest letters, and the least sure of all the steps' choices, 0–1.

    `steps`: T×27, probabilities. The least sure one, and not the product: a long name is no less
    sure for its length.
    """
    choices = steps.argmax(axis=1)
    before = np.concatenate([[0], choices[:-1]])
    kept = choices[(choices != 0) & (choices != before)]
    return "".join(LETTERS[choice - 1] for choice in kept), float(steps.max(axis=1).min())
