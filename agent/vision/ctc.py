"""Turns the recogniser's output into texts: prefix beam search over connectionist temporal classification (Graves et al., 2006).

A text's probability is the sum over all alignments that spell it, as far as the beam keeps them: a real probability, if the network's are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from agent.core.plate_text import CHARACTERS, MAX_LENGTH

BLANK = 0
BEAM_WIDTH = 8
SILENT = 0.9995  # probability of the blank from which a step can hold no character worth following; about half of all steps
NEGLIGIBLE = 1e-3  # of the likeliest prefix: extensions with less mass are not followed; texts this unlikely are not reported anyway
Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its probability 0–1 and, for each of its characters, the network's confidence 0–1."""

    text: str
    probability: float
    char_confidence: tuple[float, ...]


# A prefix's probability mass: of alignments that end in blank, of those that end in its last character; and the best step of each character.
_Mass = tuple[float, float, tuple[float, ...]]
_Beams = dict[tuple[int, ...], _Mass]


def softmax(logits: NDArray[np.float32]) -> Probabilities:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def decode(probabilities: Probabilities, most: int) -> list[Reading]:
    """The `most` likeliest texts of a T × 37 matrix (blank, 0–9, A–Z), best first; at least one, perhaps the empty text."""
    beams: _Beams = {(): (1.0, 0.0, ())}
    likely: list[list[int]] = [[] for _ in range(len(probabilities))]
    for step, character in zip(*(found.tolist() for found in np.nonzero(probabilities[:, 1:] > NEGLIGIBLE)), strict=True):
        likely[step].append(character + 1)
    for step, characters in zip(probabilities.tolist(), likely, strict=True):  # plain floats: in these small sums numpy's scalars cost more than they do
        beams = _silent(beams, step[BLANK]) if step[BLANK] >= SILENT else _extended(beams, step, characters)
    best = sorted(beams.items(), key=_likeliest)[:most]
    return [Reading("".join(CHARACTERS[c - 1] for c in prefix), min(1.0, blank + character), peaks) for prefix, (blank, character, peaks) in best]


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


def _silent(beams: _Beams, chance: float) -> _Beams:
    """Every prefix after a step that is blank."""
    return {prefix: ((blank + character) * chance, 0.0, peaks) for prefix, (blank, character, peaks) in beams.items()}


def _extended(beams: _Beams, step: list[float], likely: list[int]) -> _Beams:
    """Every prefix after one more step: unchanged by blank or a held character, or longer by one of the `likely` (no other could be worth following)."""
    following: _Beams = {}
    least = NEGLIGIBLE * max(blank + character for blank, character, _ in beams.values())
    for prefix, (blank, character, peaks) in beams.items():
        total = blank + character
        last = prefix[-1] if prefix else BLANK
        held = step[last] if prefix else 0.0
        _add(following, prefix, total * step[BLANK], character * held, (*peaks[:-1], held) if prefix and held > peaks[-1] else peaks)
        if len(prefix) == MAX_LENGTH:
            continue
        for c in likely:
            new = (blank if c == last else total) * step[c]  # a doubled letter needs a blank in between
            if new > least:
                _add(following, (*prefix, c), 0.0, new, (*peaks, step[c]))
    # On a clear plate all but one or two prefixes are negligible, and dropping them is most of the speed.
    hopeless = NEGLIGIBLE * max(blank + character for blank, character, _ in following.values())
    kept = {prefix: mass for prefix, mass in following.items() if mass[0] + mass[1] >= hopeless}
    return kept if len(kept) <= BEAM_WIDTH else dict(sorted(kept.items(), key=_likeliest)[:BEAM_WIDTH])


def _likeliest(item: tuple[tuple[int, ...], _Mass]) -> float:
    return -(item[1][0] + item[1][1])


def _add(beams: _Beams, prefix: tuple[int, ...], blank: float, character: float, peaks: tuple[float, ...]) -> None:
    known = beams.get(prefix)
    if known is not None:
        blank, character = blank + known[0], character + known[1]
        peaks = peaks if peaks == known[2] else tuple(map(max, known[2], peaks))
    elif blank + character <= 0:
        return
    beams[prefix] = (blank, character, peaks)
