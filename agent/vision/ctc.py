"""Turns the recogniser's output into texts: prefix beam search over connectionist temporal
classification (Graves et al., 2006).

A text's probability is the sum over all alignments that spell it, as far as the beam keeps them: a
real probability, if the network's are.
"""

import math

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.plate_text import CHARACTERS, MAX_LENGTH
from agent.values import dataclass

BLANK = 0
BEAM_WIDTH = 8
# Probability of the blank from which a step can hold no character worth following. About half of
# all steps have it.
SILENT = 0.9995
# Prefixes with less mass are not followed: texts this unlikely are not reported
# (recognizer.LEAST_ALTERNATIVE).
NEGLIGIBLE = 1e-3
# The same as a share of the likeliest prefix's mass, where all are as unlikely as that. What is no
# plate would else cost ten times a plate.
LEAST_OF_BEST = 0.1
UNHEARD_OF = 1e-9  # a chance that is none
Probabilities = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its probability 0–1 and, for each of its characters, the network's confidence
    0–1.
    """

    text: str
    probability: float
    char_confidence: tuple[float, ...]


# A prefix's probability mass: of alignments that end in blank, of those that end in its last
# character; that character's class; the best step of each.
_Mass = tuple[float, float, int, tuple[float, ...]]
_Beams = dict[str, _Mass]
_Likely = list[tuple[int, str, float]]  # of one step: class, character, chance


def softmax(logits: NDArray[np.float32]) -> Probabilities:
    """Over the last axis."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True), np.float32)


def decode(probabilities: Probabilities, most: int) -> list[Reading]:
    """The `most` likeliest texts of a T × 37 matrix (blank, 0–9, A–Z), best first; at least one,
    perhaps the empty text.
    """
    speaks = probabilities[:, BLANK] < SILENT
    # Every prefix's chance is multiplied by it.
    silence = float(probabilities[~speaks, BLANK].prod())
    spoken, places = probabilities[speaks], np.flatnonzero(speaks).tolist()
    # Plain floats: in these small sums numpy's scalars cost more than they do.
    steps = spoken.tolist()
    likely: list[_Likely] = [[] for _ in steps]
    for step, sign in zip(
        *(found.tolist() for found in np.nonzero(spoken[:, 1:] > NEGLIGIBLE)), strict=True
    ):
        likely[step].append((sign + 1, CHARACTERS[sign], steps[step][sign + 1]))
    beams: _Beams = {"": (1.0, 0.0, BLANK, ())}
    least, before = NEGLIGIBLE, -1
    for place, step, characters in zip(places, steps, likely, strict=True):
        beams, least = _extended(
            beams if place == before + 1 else _paused(beams), least, step, characters
        )
        before = place
    best = sorted(beams.items(), key=_likeliest)[:most]
    return [
        Reading(text, min(1.0, silence * (blank + character)), peaks)
        for text, (blank, character, _, peaks) in best
    ]


def averaged(views: list[list[Reading]]) -> list[Reading]:
    """Readings of several crops of one plate as one list, best first: each text's mean probability,
    its characters as the surest crop saw them.
    """
    surest: dict[str, Reading] = {}
    total: dict[str, float] = {}
    for reading in (reading for readings in views for reading in readings):
        total[reading.text] = total.get(reading.text, 0.0) + reading.probability
        if reading.text not in surest or reading.probability > surest[reading.text].probability:
            surest[reading.text] = reading
    best = sorted(total, key=lambda text: -total[text])
    return [Reading(text, total[text] / len(views), surest[text].char_confidence) for text in best]


def middles(probabilities: Probabilities, text: str) -> list[float]:
    """In which steps, with fractions, the characters of a text have their middles, by the likeliest
    alignment (Viterbi) in a T × 37 matrix; T at least twice the text's length.
    """
    signs = [BLANK] * (2 * len(text) + 1)
    signs[1::2] = [1 + CHARACTERS.index(character) for character in text]
    # Plain floats, as in decode: numpy took ten times as long for these few.
    shown = probabilities[:, signs] + UNHEARD_OF
    places = _spoken(probabilities, text)
    if places is None:
        places = _aligned(np.log(shown).tolist(), _skippable(signs))
    weights = shown.tolist()
    total, weight = [0.0] * len(text), [0.0] * len(text)
    for step, place in enumerate(places):
        if place % 2:
            total[place // 2] += step * weights[step][place]
            weight[place // 2] += weights[step][place]
    return [
        sum_of / weight_of if weight_of else 0.0
        for sum_of, weight_of in zip(total, weight, strict=True)
    ]


def _spoken(probabilities: Probabilities, text: str) -> list[int] | None:
    """The place in each step, where each step's likeliest sign together spell the text; else None.

    No way is likelier than that one, so that no other need be sought: of clear plates the most.
    """
    places, spelt, before = list[int](), "", BLANK
    for sign in probabilities.argmax(axis=1).tolist():
        if sign not in (BLANK, before):
            spelt += CHARACTERS[sign - 1]
        places.append(2 * len(spelt) - int(sign != BLANK))
        before = sign
    return places if spelt == text else None


def _skippable(signs: list[int]) -> list[bool]:
    """Where two places may be gone at once: from one character to the next, unless they are the
    same.
    """
    return [
        place > 1 and place % 2 == 1 and sign != signs[place - 2]
        for place, sign in enumerate(signs)
    ]


def _aligned(chances: list[list[float]], skippable: list[bool]) -> list[int]:
    """The place in each step, by the likeliest way through logarithms of chances, step by step."""
    best = [*chances[0][:2], *(-math.inf for _ in skippable[2:])]
    came: list[list[int]] = []
    for step in chances[1:]:
        best, backs = _further(best, step, skippable)
        came.append(backs)
    places = [len(best) - 1 - int(best[-2] > best[-1])]
    for backs in reversed(came):
        places.append(places[-1] - backs[places[-1]])
    return places[::-1]


def _further(
    best: list[float], step: list[float], skippable: list[bool]
) -> tuple[list[float], list[int]]:
    """The likeliest ways to all places one step on: how likely, and by how many places each came.

    One loop: a call for each place cost as much again.
    """
    reached, backs = [], []
    before = far_before = -math.inf
    for here, chance, skip in zip(best, step, skippable, strict=True):
        most, back = (before, 1) if before > here else (here, 0)
        if skip and far_before > most:
            most, back = far_before, 2
        reached.append(most + chance)
        backs.append(back)
        before, far_before = here, before
    return reached, backs


def _paused(beams: _Beams) -> _Beams:
    """Every prefix after steps of silence: the next character is a new one, even if it is the
    same.
    """
    return {
        text: (blank + character, 0.0, last, peaks)
        for text, (blank, character, last, peaks) in beams.items()
    }


def _extended(
    beams: _Beams, least: float, step: list[float], likely: _Likely
) -> tuple[_Beams, float]:
    """Every prefix after one more step: unchanged by blank or a held character, or longer by one of
    the `likely` (no other could be worth following).

    `least`: the mass below which no longer one is followed; returned with the prefixes for the next
    step.
    """
    following: _Beams = {}
    for text, (blank, character, last, peaks) in beams.items():
        total = blank + character
        held = step[last] if text else 0.0
        _add(
            following,
            text,
            (
                total * step[BLANK],
                character * held,
                last,
                (*peaks[:-1], held) if text and held > peaks[-1] else peaks,
            ),
        )
        if len(text) == MAX_LENGTH:
            continue
        for kind, sign, chance in likely:
            # A doubled letter needs a blank in between.
            new = (blank if kind == last else total) * chance
            if new > least:
                _add(following, text + sign, (0.0, new, kind, (*peaks, chance)))
    # On a clear plate all but one or two prefixes are negligible, and dropping them is most of the
    # speed.
    masses = [mass[0] + mass[1] for mass in following.values()]
    least = min(NEGLIGIBLE, LEAST_OF_BEST * max(masses))
    if min(masses) < least:
        following = {text: mass for text, mass in following.items() if mass[0] + mass[1] >= least}
    if len(following) > BEAM_WIDTH:
        following = dict(sorted(following.items(), key=_likeliest)[:BEAM_WIDTH])
    return following, least


def _likeliest(item: tuple[str, _Mass]) -> float:
    return -(item[1][0] + item[1][1])


def _add(beams: _Beams, text: str, mass: _Mass) -> None:
    """That mass to what the prefix has already."""
    known = beams.get(text)
    if known is not None:
        peaks = known[3] if mass[3] == known[3] else tuple(map(max, known[3], mass[3]))
        mass = (known[0] + mass[0], known[1] + mass[1], mass[2], peaks)
    beams[text] = mass
