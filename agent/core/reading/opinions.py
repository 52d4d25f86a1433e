"""What one read says of any text: the texts that it lists, and, place by place, of those that it
does not.
"""

from __future__ import annotations

from collections import defaultdict
from math import fsum, log, prod
from typing import TYPE_CHECKING

from agent.core.reading.alignment import ADDED_OR_LOST, AT_AN_END, align
from agent.core.reading.plate_text import CHARACTERS
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.core.reading.sighting import PlateRead

# What is left for the unlisted at least, of the whole and at each place: no read is believed
# further, however sure of itself it is.
DOUBT = 0.02
PLACE_DOUBT = 0.005
FLOOR = 1e-9
# How far two reads mean the same by what is left; chosen for calibration on rendered passes:
# see docs/design/voting.md
COMMON = 0.2
COMMON_IN_ONE_VIEW = 0.8  # the same where all reads show the same thing once more
UNLIKELY = 1e-12  # of what is left: a text that has nothing to do with what was read


@dataclass(frozen=True, slots=True)
class Opinion:
    """One read as a voter.

    `texts`: what it lists, with probabilities that sum to 1 at most. `likeliest`: the first of
    them; `places`: for each of its characters, the probability of every character there. `left`:
    the probability of everything that is not listed; `doubt`: as much of it as all reads may mean
    the same text by, or none at all. `weight`: how much the read counts, above 0.
    """

    texts: Mapping[str, float]
    likeliest: str
    places: tuple[Mapping[str, float], ...]
    left: float
    doubt: float
    weight: float

    def log_probability(self, text: str) -> float:
        """The log of the probability of any text, listed or not; never minus infinity.

        Only what is not listed has a share of what is left: a second choice that were given one
        could overtake the read's own text.
        """
        share = self.texts[text] if text in self.texts else self.left * self._by_places(text)
        return log(max(share, self.left * UNLIKELY))

    def _by_places(self, text: str) -> float:
        """The probability of a text if its characters are independent, and one too many or too few
        as rare as `alignment` says.
        """
        chance, place, last = 1.0, 0, len(self.likeliest)
        pairs = align(self.likeliest, text)
        for number, (read, meant) in enumerate(pairs):
            if read and meant:
                chance *= self.places[place][meant]
            else:
                chance *= AT_AN_END if number in (0, len(pairs) - 1) else ADDED_OR_LOST
            place = min(place + bool(read), last)
        return chance


def opinion_of(read: PlateRead, weight: float, common: float = COMMON) -> Opinion | None:
    """A read as a voter; None where it lists no text. `common`: how much of what it leaves open may
    be the same in all reads.
    """
    texts: defaultdict[str, float] = defaultdict(float)
    for text, probability in (
        (read.text, read.confidence),
        *((other.text, other.probability) for other in read.alternatives),
    ):
        if len(text):
            texts[text.value] += max(probability, 0.0)
    if not texts:
        return None
    listed = max(1.0, fsum(texts.values()))
    shares = {text: probability / listed for text, probability in texts.items()}
    likeliest = read.text.value or min(shares, key=lambda text: (-shares[text], text))
    own = read.char_confidence if len(read.text) else (shares[likeliest],) * len(likeliest)
    left = max(DOUBT, 1.0 - fsum(shares.values()))
    # Who is surer of every character than of the whole doubts the whole: that there is a plate, or
    # nothing beside what was read. That doubt is the same in each frame; doubts about single
    # characters go in all directions.
    unexplained = 1.0 - shares[likeliest] / max(prod(own), shares[likeliest], FLOOR)
    return Opinion(
        shares,
        likeliest,
        _places(shares, likeliest, own, left),
        left,
        left * max(common, unexplained),
        weight,
    )


def _places(
    shares: Mapping[str, float], likeliest: str, own: tuple[float, ...], left: float
) -> tuple[Mapping[str, float], ...]:
    """At each place the read's own confidence in its character; the rest to what the other listed
    texts have there, as far as they go, then to all alike.
    """
    others: list[defaultdict[str, float]] = [defaultdict(float) for _ in likeliest]
    for text, share in shares.items():
        if text == likeliest:
            continue
        place = 0
        for mine, theirs in align(likeliest, text):
            if mine and theirs and mine != theirs:
                others[place][theirs] += share
            place += bool(mine)
    return tuple(
        _place(mine, confidence, other, left)
        for mine, confidence, other in zip(likeliest, own, others, strict=True)
    )


def _place(
    mine: str, confidence: float, others: Mapping[str, float], left: float
) -> Mapping[str, float]:
    rest = max(1.0 - confidence, PLACE_DOUBT)
    whole = fsum(others.values()) + left
    spread = left / (len(CHARACTERS) - 1)
    place = {
        character: rest * (others.get(character, 0.0) + spread) / whole for character in CHARACTERS
    }
    place[mine] = 1.0 - rest
    return place
