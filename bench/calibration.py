"""Whether a system means what it says: confidence of the whole plate against how often it was
right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.intervals import Figure, share

EQUAL_MASS_BINS = 15
EQUAL_WIDTH_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Plates of like confidence: the mean of what was said, and the share that was right."""

    said: float
    right: Figure


def equal_mass(
    said: Sequence[float], right: Sequence[bool], bins: int = EQUAL_MASS_BINS
) -> list[Bin]:
    """Bins of as many plates each, by rising confidence."""
    order = np.argsort(np.asarray(said, float), kind="stable")
    return [_bin(said, right, part) for part in np.array_split(order, bins) if len(part)]


def equal_width(
    said: Sequence[float], right: Sequence[bool], bins: int = EQUAL_WIDTH_BINS
) -> list[Bin]:
    """Bins of the same width on 0–1; 1 belongs to the last. Empty ones are left out."""
    place = np.minimum((np.asarray(said, float) * bins).astype(int), bins - 1)
    return [
        _bin(said, right, np.flatnonzero(place == number))
        for number in range(bins)
        if (place == number).any()
    ]


def expected_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: the mean distance between said and right, weighed by plates.

    Few plates a bin push it up.
    """
    total = sum(one.right.of for one in bins)
    return (
        sum(one.right.of * abs(one.right.value - one.said) for one in bins) / total
        if total
        else float("nan")
    )


def _bin(said: Sequence[float], right: Sequence[bool], members: np.ndarray) -> Bin:
    return Bin(
        float(np.mean([said[m] for m in members])),
        share(sum(bool(right[m]) for m in members), len(members)),
    )
