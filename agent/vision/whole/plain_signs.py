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
    *(-0.232, 0.753, -0.619, 0.546, -0.525, -0.120, 0.288, -0.830, -0.383),
    *(-0.279, 0.198, -0.973, 0.377, -0.396, -0.626, -0.155, -0.068, -0.072),
    *(-0.074, -0.066, -0.224, -0.078, 0.085, 4.284, 0.270),
)
OFFSET = 16.268
FITTED_TO = "89bd6c7bffde524c"  # wholeness.onnx's SHA-256 begins so
LIMIT = -1.7  # chosen on part *tune* of the photographs
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
