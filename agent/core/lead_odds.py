"""How likely a lead is to be the listed vehicle, by Bayes' rule, from the reader's calibrated confidence and the list's own density.

For one passing vehicle and one entry that its text agrees with (docs/ref/hotlist.md, "What a match is worth"; the rule: Bayes, 1763):

    true  = b · p                            a listed vehicle passes, and its text was read
    false = (1 − b) · ((1 − p) · d + o · d)  another one passes: misread into a listed text, or read rightly with the same text from elsewhere
    posterior = true / (true + false)

b: share of passing vehicles that are listed; p: probability of the entry's text; d: share of the texts of that shape that are listed, which is the
chance that a wrong text is a listed one; o: share of passing vehicles from other states, nought where the state was read.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from agent.core.policy import MatchLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

BASE_RATE = 0.002  # of reads, 0.1 to 0.5 % were hits in what cities published: the middle, in powers of two
OTHER_STATES = 0.1  # of the traffic; a town at a border has more
CHARACTERS_OF = {"D": 10, "L": 26}


def shape_of(text: str) -> str:
    """`DLLLDDD`: where its digits and letters stand."""
    return "".join("D" if character.isdigit() else "L" for character in text)


def density(text: str, shapes: Mapping[str, int]) -> float:
    """The share, 0–1, of all texts of this one's shape that are on the list. Misreadings mostly keep the shape."""
    shape = shape_of(text)
    return min(1.0, shapes.get(shape, 0) / prod(CHARACTERS_OF[kind] for kind in shape)) if shape else 0.0


def posterior(
    level: MatchLevel, probability: float, text: str, shapes: Mapping[str, int], *, base_rate: float = BASE_RATE, other_states: float = OTHER_STATES
) -> float:
    """The probability, 0–1, that the vehicle seen is the entry's. `probability`: the reader's, of the entry's text.

    Limit: base rate and traffic are the same for all entries, and a vehicle that was found but is still listed counts as listed.
    """
    elsewhere = 0.0 if level is MatchLevel.EXACT else other_states
    chance = density(text, shapes)
    true = base_rate * probability
    false = (1.0 - base_rate) * ((1.0 - probability) + elsewhere) * chance
    return true / (true + false) if true + false > 0.0 else 0.0
