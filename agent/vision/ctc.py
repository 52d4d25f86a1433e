"""Turns the recogniser's output into texts: prefix beam search over connectionist temporal classification (Graves et al., 2006).

A text's probability is the sum over all alignments that spell it, as far as the beam keeps them: a real probability, if the network's are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.core.plate_text import CHARACTERS, MAX_LENGTH

BLANK = 0
BEAM_WIDTH = 8
NEGLIGIBLE = 1e-3  # of the likeliest prefix: extensions with less mass are not followed; texts this unlikely are not reported anyway
Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its probability 0–1 and, for each of its characters, the network's confidence 0–1."""

    text: str
    probability: float
    char_confidence: tuple[float, ...]


@dataclass(slots=True)
class _Prefix:
    """Probability mass of one prefix: of alignments that end in blank, and in its last character. `peaks`: best step per character."""

    blank: float
    character: float
    peaks: tuple[float, ...]

    @property
    def total(self) -> float:
        return self.blank + self.character


def softmax(logits: NDArray[np.float32]) -> Probabilities:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def decode(probabilities: Probabilities, most: int) -> list[Reading]:
    """The `most` likeliest texts of a T × 37 matrix (blank, 0–9, A–Z), best first; at least one, perhaps the empty text."""
    beams: dict[tuple[int, ...], _Prefix] = {(): _Prefix(1.0, 0.0, ())}
    for step in probabilities.tolist():  # plain floats: in these small sums numpy's scalars cost more than they do
        beams = _extended(beams, step)
    best = sorted(beams.items(), key=lambda item: -item[1].total)[:most]
    return [Reading("".join(CHARACTERS[c - 1] for c in prefix), min(1.0, mass.total), mass.peaks) for prefix, mass in best]


def averaged(views: list[list[Reading]]) -> list[Reading]:
    """Readings of several crops of one plate as one list, best first: each text's mean probability, its characters as the surest crop saw them."""
    surest: dict[str, Reading] = {}
    total: dict[str, float] = {}
    for reading in (reading for readings in views for reading in readings):
        total[reading.text] = total.get(reading.text, 0.0) + reading.probability
        if reading.text not in surest or reading.probability > surest[reading.text].probability:
            surest[reading.text] = reading
    best = sorted(total, key=lambda text: -total[text])
    return [Reading(text, total[text] / len(views), surest[text].char_confidence) for text in best]


def _extended(beams: dict[tuple[int, ...], _Prefix], step: list[float]) -> dict[tuple[int, ...], _Prefix]:
    """Every prefix after one more step: unchanged by blank or a held character, or one character longer."""
    following: dict[tuple[int, ...], _Prefix] = {}
    least = NEGLIGIBLE * max(mass.total for mass in beams.values())
    likely = [(c, probability) for c, probability in enumerate(step) if probability > least and c != BLANK]
    for prefix, mass in beams.items():
        last = prefix[-1] if prefix else BLANK
        held = step[last] if prefix else 0.0
        peaks = (*mass.peaks[:-1], held) if prefix and held > mass.peaks[-1] else mass.peaks
        _add(following, prefix, mass.total * step[BLANK], mass.character * held, peaks)
        if len(prefix) == MAX_LENGTH:
            continue
        for c, probability in likely:
            new = (mass.blank if c == last else mass.total) * probability  # a doubled letter needs a blank in between
            if new > least:
                _add(following, (*prefix, c), 0.0, new, (*mass.peaks, probability))
    kept = sorted(following.items(), key=lambda item: -item[1].total)[:BEAM_WIDTH]
    # On a clear plate all but one or two prefixes are negligible, and dropping them is most of the speed.
    hopeless = NEGLIGIBLE * kept[0][1].total
    return {prefix: mass for prefix, mass in kept if mass.total >= hopeless}


def _add(beams: dict[tuple[int, ...], _Prefix], prefix: tuple[int, ...], blank: float, character: float, peaks: tuple[float, ...]) -> None:
    known = beams.get(prefix)
    if known is None:
        if blank + character > 0:
            beams[prefix] = _Prefix(blank, character, peaks)
        return
    known.blank += blank
    known.character += character
    if known.peaks != peaks:
        known.peaks = tuple(map(max, known.peaks, peaks))
