"""Weighs readings by how plates are written: a prior over patterns of letters and digits by region,
never a rewrite.

A text is only ever preferred to another that the network itself proposed, and by a bounded factor:
a clear reading in a pattern that no issuer uses (a personal plate) keeps its place. This settles
the ties that pixels leave open, O against 0 and I against 1.
"""

import json
from collections.abc import Sequence
from functools import cache
from operator import mul
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import CHARACTERS
from agent.vision.ctc import Reading

REGIONS = ("us", "eu", "uk", "br")
# Share of patterns on no list. The likeliest pattern (an eighth of its region) outweighs them by at
# most 130.
FLOOR = 1e-3


_KINDS = str.maketrans(CHARACTERS, "".join("9" if c.isdigit() else "A" for c in CHARACTERS))


def pattern(text: str) -> str:
    """A for each letter, 9 for each digit."""
    return text.translate(_KINDS)


def weighed(readings: list[Reading], regions: NDArray[np.float32]) -> list[Reading]:
    """The readings after the prior, likeliest first.

    `regions`: probability of each of REGIONS. What is not listed keeps its share.
    """
    chances = regions.tolist()
    weights = [weight(reading.text, chances) for reading in readings]
    listed = sum(reading.probability for reading in readings)
    total = sum(
        reading.probability * weight for reading, weight in zip(readings, weights, strict=True)
    )
    if total <= 0:
        return readings
    scale = min(1.0, listed) / total
    new = [
        Reading(r.text, min(1.0, r.probability * w * scale), r.char_confidence)
        for r, w in zip(readings, weights, strict=True)
    ]
    return sorted(new, key=lambda reading: -reading.probability)


def weight(text: str, regions: Sequence[float]) -> float:
    """The share of one text's pattern, over the regions, and the floor."""
    shares = by_pattern().get(pattern(text))
    return FLOOR + sum(map(mul, regions, shares)) if shares else FLOOR


@cache
def by_pattern() -> dict[str, tuple[float, ...]]:
    """Of each pattern the share in each of REGIONS."""
    known = formats()
    return {
        spelt: tuple(known[region].get(spelt, 0.0) for region in REGIONS)
        for spelt in {spelt for region in REGIONS for spelt in known[region]}
    }


@cache
def formats() -> dict[str, dict[str, float]]:
    """formats.json: region → pattern → share of its plates; the same tables that the training draws
    from.
    """
    shares: dict[str, dict[str, float]] = json.loads(
        Path(__file__).with_name("formats.json").read_text(encoding="utf-8")
    )
    return shares
