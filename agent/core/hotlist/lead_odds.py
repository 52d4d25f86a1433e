"""How likely a lead is to be the listed vehicle, by Bayes' rule, from the reader's calibrated
confidence and the list's own density.

For one passing vehicle and one entry that its text agrees with (docs/ref/hotlist.md, "What a match
is worth"; the rule: Bayes, 1763):

    true  = b · p                            a listed vehicle passes, and its text was read
    false = (1 − b) · ((1 − p) · d + o · d)  another one passes: misread into a listed text, or
                                             read rightly with the same text from elsewhere
    posterior = true / (true + false)

b: share of passing vehicles that are listed; p: probability of the entry's text; d: share of the
texts of that shape that are listed, which is the chance that a wrong text is a listed one; o: share
of passing vehicles from other states, nought where the state was read.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from agent.core.reading.plate_text import CHARACTERS
from agent.core.wire.match_level import MatchLevel

if TYPE_CHECKING:
    from collections.abc import Mapping

# Share of reads that are hits. In what cities published it was 0.1 to 0.5 %: the middle, in powers
# of two.
BASE_RATE = 0.002
# Entries of such a city's list, a guess. A shorter list finds fewer cars, in proportion.
FULL_LIST = 500_000
MOST = 0.9999  # a lead is never a fact (P10), whatever the arithmetic says
OTHER_STATES = 0.1  # of the traffic; a town at a border has more
_EXACT = MatchLevel.EXACT
CHARACTERS_OF = {"D": 10, "L": 26}
_KINDS = bytes.maketrans(
    CHARACTERS.encode("ascii"),
    "".join("D" if one.isdigit() else "L" for one in CHARACTERS).encode("ascii"),
)


def shape_of(text: str) -> bytes:
    """`DLLLDDD`: where its digits and letters stand.

    As bytes: it is asked for at every hit, and a text would take twice as long.
    """
    return text.encode("ascii").translate(_KINDS)


def densities(shapes: Mapping[str, int]) -> Mapping[bytes, float]:
    """For each shape the share, 0–1, of all its texts that are on the list.

    Misreadings mostly keep the shape.
    """
    return {
        shape.encode("ascii"): min(1.0, count / prod(CHARACTERS_OF[kind] for kind in shape))
        for shape, count in shapes.items()
    }


def base_rate_of(entries: int) -> float:
    """The share of passing vehicles that a list of so many entries names."""
    return BASE_RATE * min(1.0, entries / FULL_LIST)


def posterior(
    level: MatchLevel,
    probability: float,
    density: float,
    base_rate: float = BASE_RATE,
    other_states: float = OTHER_STATES,
) -> float:
    """The probability, 0 to MOST, that the vehicle seen is the entry's.

    `probability`: the reader's, of the entry's text; `density`: of the text's shape.

    Limit: base rate and traffic are the same for all entries, and a vehicle that was found but is
    still listed counts as listed.
    """
    elsewhere = 0.0 if level is _EXACT else other_states
    true = base_rate * probability
    false = (1.0 - base_rate) * ((1.0 - probability) + elsewhere) * density
    return min(true / (true + false), MOST) if true + false > 0.0 else 0.0
