"""How sure a figure is: 95 % intervals for shares, means and ratios of medians."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

Z = 1.959963984540054  # 97.5th percentile of the normal distribution
RESAMPLES = 2000
SEED = 1  # the same figures give the same interval


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval, and how many it is a figure of."""

    value: float
    low: float
    high: float
    of: int


NOTHING = Figure(math.nan, math.nan, math.nan, 0)


def share(hits: int, of: int) -> Figure:
    """A proportion with Wilson's interval (1927): it stays inside 0–1 and is honest for 48 of 48,
    where the usual formula says ±0.
    """
    if of == 0:
        return NOTHING
    rate = hits / of
    centre = (rate + Z * Z / (2 * of)) / (1 + Z * Z / of)
    half = Z / (1 + Z * Z / of) * math.sqrt(rate * (1 - rate) / of + Z * Z / (4 * of * of))
    return Figure(
        rate,
        max(0.0, centre - half) if hits else 0.0,
        min(1.0, centre + half) if hits < of else 1.0,
        of,
    )


def mean(values: ArrayLike) -> Figure:
    """A mean with a percentile bootstrap: for scores between 0 and 1 that heap up at 1."""
    given = np.asarray(values, float)
    if not given.size:
        return NOTHING
    means = given[_draws(given.size)].mean(axis=1)
    return Figure(float(given.mean()), *_middle(means), given.size)


def ratio_of_medians(ours: ArrayLike, theirs: ArrayLike) -> Figure:
    """Median of one over median of the other, for pairs (the same picture by two systems): pairs
    are drawn together.
    """
    one, other = np.asarray(ours, float), np.asarray(theirs, float)
    if not one.size:
        return NOTHING
    draws = _draws(one.size)
    ratios = np.median(one[draws], axis=1) / np.median(other[draws], axis=1)
    return Figure(float(np.median(one) / np.median(other)), *_middle(ratios), one.size)


def _draws(size: int) -> np.ndarray:
    return np.random.default_rng(SEED).integers(0, size, (RESAMPLES, size))


def _middle(drawn: np.ndarray) -> tuple[float, float]:
    low, high = np.percentile(drawn, [2.5, 97.5])
    return float(low), float(high)
