"""Combines what several reads say of one plate into probabilities of whole texts: a confusion
network proposes, a log-linear pool decides.

Proposals: every text that a read lists, and those that arise when all of them are laid side by side
and each place is voted on by itself (ROVER: Fiscus 1997; confusion networks: Mangu, Brill and
Stolcke 2000), so that a text may win that no read has whole.

Decision: the weighted mean of the reads' log-probabilities, times their effective number
(logarithmic opinion pool: Genest and Zidek 1986). Reads of one passing car share light, dirt, angle
and network, so their errors agree; n reads that correlate by r weigh as n / (1 + (n - 1) r)
independent ones (the design effect: Kish 1965). All sums are exactly rounded (fsum), so that the
order of the reads never matters.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from math import exp, fsum, log
from typing import TYPE_CHECKING

from agent.core.reading.alignment import align
from agent.core.reading.plate_text import MAX_LENGTH
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.core.reading.opinions import Opinion

MAX_TEXTS = 16  # of what the reads list, the likeliest; bounds the work
MAX_PROPOSALS = 6  # further ones, put together from them
# Between the opinions of two reads of one pass; chosen for calibration on rendered passes
# (docs/design/voting.md). It does not decide which text wins.
CORRELATION = 0.7


@dataclass(frozen=True, slots=True)
class Pool:
    """What all say together: texts with probabilities 0–1, likeliest first, at least one; and the
    probability that it is none of them.
    """

    texts: tuple[tuple[str, float], ...]
    none_of_them: float


def pool(opinions: Sequence[Opinion], views: Sequence[int] | None = None) -> Pool:
    """One opinion out of several, at least one. Time grows linearly with their number.

    `views`: for each opinion the number of its view; None where each is a view of its own.
    """
    shares = _shares(opinions)
    listed = sorted(shares, key=lambda text: (-shares[text], text))[:MAX_TEXTS]
    scores = {text: _score(opinions, text) for text in listed}
    if not _two_parties(opinions):
        pivot = max(listed, key=lambda text: (scores[text], text))
        for text in proposals(pivot, {text: shares[text] for text in listed}):
            scores[text] = _score(opinions, text)
    none_of_them = _weighted_mean((opinion.weight, log(opinion.doubt)) for opinion in opinions)
    return _normalised(scores, none_of_them, effective_number(opinions, views))


def effective_number(opinions: Sequence[Opinion], views: Sequence[int] | None = None) -> float:
    """How many independent reads of equal weight these amount to: at least 1, at most 1 /
    CORRELATION. Of one view, the weightiest read counts.
    """
    heaviest: dict[int, float] = {}
    for view, opinion in zip(views or range(len(opinions)), opinions, strict=True):
        heaviest[view] = max(heaviest.get(view, 0.0), opinion.weight)
    number = fsum(heaviest.values()) ** 2 / fsum(weight**2 for weight in heaviest.values())
    return number / (1 + (number - 1) * CORRELATION)


def _two_parties(opinions: Sequence[Opinion]) -> bool:
    """Are there two texts that several reads each take for the likeliest? Then it is one of them:
    what lies between them would be a plate that no vehicle has.
    """
    parties = Counter(opinion.likeliest for opinion in opinions)
    return sum(count > 1 for count in parties.values()) > 1


def proposals(pivot: str, shares: Mapping[str, float]) -> list[str]:
    """Texts that nobody lists, from a confusion network around `pivot`: the best at every place,
    and the same with one place's second choice.
    """
    slots = _network(pivot, shares)
    ranked = [sorted(slot, key=lambda character: (-slot[character], character)) for slot in slots]
    best = [choices[0] for choices in ranked]
    swaps = [
        (slot[choices[0]] - slot[choices[1]], place, choices[1])
        for place, (slot, choices) in enumerate(zip(slots, ranked, strict=True))
        if choices[1:]
    ]
    found = ["".join(best)] + [
        "".join([*best[:place], second, *best[place + 1 :]]) for _, place, second in sorted(swaps)
    ]
    return [
        text for text in dict.fromkeys(found) if text not in shares and 0 < len(text) <= MAX_LENGTH
    ][:MAX_PROPOSALS]


def _network(pivot: str, shares: Mapping[str, float]) -> list[dict[str, float]]:
    """For each place of the pivot, and each gap where some text has more, the weight of every
    character; "" for none.
    """
    votes: defaultdict[tuple[int, int], defaultdict[str, list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for text, share in shares.items():
        place, extra = 0, 0
        for theirs, ours in align(text, pivot):
            if ours:
                votes[place, 0][theirs].append(share)
                place, extra = place + 1, 0
            else:  # an extra one before `place`: (place, -12 … -1) sorts ahead of (place, 0)
                votes[place, extra - MAX_LENGTH][theirs].append(share)
                extra += 1
    whole = fsum(shares.values())
    slots = []
    for key in sorted(votes):
        slot = {character: fsum(weights) for character, weights in votes[key].items()}
        if key[1]:  # the others have none here
            slot[""] = whole - fsum(slot.values())
        slots.append(slot)
    return slots


def _score(opinions: Sequence[Opinion], text: str) -> float:
    """The weighted mean of the log-probabilities that the reads give a text."""
    return _weighted_mean((opinion.weight, opinion.log_probability(text)) for opinion in opinions)


def _shares(opinions: Sequence[Opinion]) -> dict[str, float]:
    """The weighted sum of probabilities of every listed text (a linear pool: who may win)."""
    parts: defaultdict[str, list[float]] = defaultdict(list)
    for opinion in opinions:
        for text, probability in opinion.texts.items():
            parts[text].append(opinion.weight * probability)
    return {text: fsum(several) for text, several in parts.items()}


def _weighted_mean(values: Iterable[tuple[float, float]]) -> float:
    pairs = list(values)
    return fsum(weight * value for weight, value in pairs) / fsum(weight for weight, _ in pairs)


def _normalised(scores: Mapping[str, float], none_of_them: float, number: float) -> Pool:
    """Probabilities out of mean log-probabilities of `number` independent reads."""
    top = max(none_of_them, *scores.values())
    odds = {text: exp(number * (score - top)) for text, score in scores.items()}
    other = exp(number * (none_of_them - top))
    whole = fsum([*odds.values(), other])
    ranked = sorted(odds, key=lambda text: (-odds[text], text))
    return Pool(tuple((text, odds[text] / whole) for text in ranked), other / whole)
