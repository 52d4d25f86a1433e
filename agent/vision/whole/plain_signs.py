"""Says of a plate that it is whole by its signs alone, where these leave no doubt: then nobody need
look at its picture.

Mitigates against nothing itself: what it lets through, the wholeness network does not see. So it
speaks only where that network hardly ever objects (docs/design/whole-plates.md).
"""

import math
from collections.abc import Sequence
from operator import mul

# By `python -m models.training.whole.plain`: of the signs by wholeness.SIGNS without the lines, in
# that order, and of the text's doubt. Fit them again with the next wholeness network.
WEIGHTS = (
    *(-0.248, 0.765, -0.636, 0.564, -0.513, -0.109, 0.260, -0.781, -0.347),
    *(-0.281, 0.238, -0.922, 0.384, -0.430, -0.619, -0.112, -0.062, -0.073),
    *(-0.055, -0.062, -0.191, -0.082, 0.043, 4.784, 0.299),
)
OFFSET = 15.829
FITTED_TO = "0dc7bdc19e57b9a1"  # wholeness.onnx's SHA-256 begins so
LIMIT = -1.8  # chosen on part *tune* of the photographs
SUREST = 1e-4  # of a text being wrong


def plainly_whole(signs: Sequence[float], sure: float) -> bool:
    """`signs`: without the lines; `sure`: the text's probability, 0–1. Written so that a NaN is
    not plain.
    """
    doubt: float = sum(map(mul, WEIGHTS, (*signs, doubt_of_text(sure))))
    return doubt + OFFSET < LIMIT


def doubt_of_text(sure: float) -> float:
    """The logarithm of the chance that the text is wrong."""
    return math.log(max(1 - sure, SUREST))
