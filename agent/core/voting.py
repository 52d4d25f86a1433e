"""Turns the reads of one track into one sighting: a vote at each position of the plate, weighted by confidence."""

from __future__ import annotations

from collections import defaultdict
from math import exp, log, prod
from typing import TYPE_CHECKING, TypeVar

from agent.core.plate_text import CHARACTERS, PlateText
from agent.core.sighting import Alternative, Sighting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.core.sighting import PlateRead, Track

Choice = TypeVar("Choice", int, str)

MAX_ALTERNATIVES = 8
# Frames of one passing car share light, dirt and angle, so their errors agree too: a further read counts for a fraction of an independent one.
FURTHER_READ_WEIGHT = 0.3
FLOOR = 1e-4  # no read excludes a character altogether
STATE_MAJORITY = 0.6


def vote(track: Track, camera: str) -> Sighting:
    """One sighting from a track's reads.

    Lengths are voted first, then the characters at each position among the reads of that length, their alternatives included. `confidence` is the
    probability that the whole text is right: of a single read its own, of several their agreement, as far as frames of one car are independent.
    The crop is the sharpest of those that read the voted text, and the capture time is that crop's, so that picture and time belong together.
    """
    reads = track.reads
    if len(reads) == 1:
        return _sighting(reads[0], reads, reads[0].text, reads[0].char_confidence, reads[0].confidence, camera)
    length = _heaviest((len(read.text), _weight(read)) for read in reads if len(read.text))
    voters = [read for read in reads if length and len(read.text) == length]
    if not voters:
        return _sighting(max(reads, key=lambda read: read.sharpness), reads, PlateText(""), (), 0.0, camera)
    ballots = [_ballot(voters, position) for position in range(len(voters[0].text))]
    text = PlateText("".join(max(ballot, key=lambda character: (ballot[character], character)) for ballot in ballots))
    char_confidence = tuple(ballots[i][character] * _agreement(voters, i, character) for i, character in enumerate(text.value))
    agreeing = [read for read in voters if read.text == text] or voters
    best = max(agreeing, key=lambda read: read.sharpness)
    share = sum(map(_weight, voters)) / sum(_weight(read) for read in reads if len(read.text))
    confidence = prod(char_confidence) * share * max(map(_calibration, agreeing))
    return _sighting(best, reads, text, char_confidence, confidence, camera)


def _sighting(best: PlateRead, reads: Sequence[PlateRead], text: PlateText, char_confidence: tuple[float, ...], confidence: float, camera: str) -> Sighting:
    return Sighting(
        text=text,
        confidence=min(max(confidence, 0.0), 1.0),
        char_confidence=char_confidence,
        alternatives=_alternatives(reads, text),
        region=_heaviest((read.region, _weight(read)) for read in reads if read.region != "unknown") or "unknown",
        state=_state(reads),
        crop=best.crop,
        captured=best.captured,
        camera=camera,
        frames=len(reads),
    )


def _ballot(voters: Sequence[PlateRead], position: int) -> dict[str, float]:
    """The probability of each character at one position: log-probabilities of all reads, averaged, times the reads' effective number."""
    effective = 1 + FURTHER_READ_WEIGHT * (len(voters) - 1)
    weights = [_weight(read) for read in voters]
    opinions = [_opinion(read, position) for read in voters]
    scores = {
        character: effective * sum(weight * log(opinion[character]) for weight, opinion in zip(weights, opinions, strict=True)) / sum(weights)
        for character in CHARACTERS
    }
    top = max(scores.values())
    odds = {character: exp(score - top) for character, score in scores.items()}
    total = sum(odds.values())
    return {character: value / total for character, value in odds.items()}


def _opinion(read: PlateRead, position: int) -> dict[str, float]:
    """What one read says of one position: its character's confidence; the rest to the alternatives, as far as they go, then to all others alike."""
    own = min(max(read.char_confidence[position], FLOOR), 1 - FLOOR * len(CHARACTERS))
    opinion = dict.fromkeys(CHARACTERS, FLOOR)
    others: defaultdict[str, float] = defaultdict(float)
    for alternative in read.alternatives:
        if len(alternative.text) == len(read.text) and alternative.text.value[position] != read.text.value[position]:
            others[alternative.text.value[position]] += alternative.probability
    rest, named = 1 - own, sum(others.values())
    for character, probability in others.items():
        opinion[character] += probability * min(1.0, rest / named if named else 0.0)
    left = max(rest - named, 0.0) / (len(CHARACTERS) - 1)
    opinion = {character: value + left for character, value in opinion.items()}
    opinion[read.text.value[position]] = own
    return opinion


def _agreement(voters: Sequence[PlateRead], position: int, character: str) -> float:
    """One where all read the same; even odds where half the weight reads something else, however sure of itself each read is."""
    against = sum(_weight(read) for read in voters if read.text.value[position] != character) / sum(map(_weight, voters))
    return max(1 - 2 * against**2, 0.0)


def _calibration(read: PlateRead) -> float:
    """How far the reader trusts the whole text less than its characters (it may have added or missed one)."""
    return min(read.confidence / max(prod(read.char_confidence), FLOOR), 1.0)


def _alternatives(reads: Sequence[PlateRead], text: PlateText) -> tuple[Alternative, ...]:
    """All other readings, their probabilities averaged over the reads, likeliest first."""
    sums: defaultdict[PlateText, float] = defaultdict(float)
    for read in reads:
        sums[read.text] += read.confidence
        for alternative in read.alternatives:
            sums[alternative.text] += alternative.probability
    others = [Alternative(other, min(total / len(reads), 1.0)) for other, total in sums.items() if other != text and len(other)]
    return tuple(sorted(others, key=lambda alternative: (-alternative.probability, alternative.text.value))[:MAX_ALTERNATIVES])


def _state(reads: Sequence[PlateRead]) -> str | None:
    """The issuing state that a clear majority of the reads that saw one agree on; None otherwise: an unread state is honest, a wrong one is not."""
    seen = [(read.state, _weight(read)) for read in reads if read.state is not None]
    state = _heaviest(seen)
    agreeing = sum(weight for name, weight in seen if name == state)
    return state if seen and agreeing > STATE_MAJORITY * sum(weight for _, weight in seen) else None


def _weight(read: PlateRead) -> float:
    """How much a read's opinion counts; never nothing."""
    return max(read.confidence, FLOOR)


def _heaviest(votes: Iterable[tuple[Choice, float]]) -> Choice | None:
    """The choice with the greatest weight, the first of equals; None without votes."""
    sums: defaultdict[Choice, float] = defaultdict(float)
    for choice, weight in votes:
        sums[choice] += weight
    return max(sums, key=lambda choice: sums[choice]) if sums else None
