"""Weighs what was read in a strip against the closed list of names: the likeliest of those that
come near it, and how much more likely it is than the letters as they stand.

A network that is unsure of one letter of thirteen is still sure of the name. But a clear FONTANA is
no MONTANA: its own letters are far likelier.
"""

from collections.abc import Sequence
from functools import cache
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from agent.core.reading.alignment import align
from agent.values import dataclass
from agent.vision.issuer.legends import parts, state_of

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"  # behind CTC's blank, as the network gives them
LETTERS_AN_ERROR = 5  # a name may differ by one letter for so many: OHIO by none

Map = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Line:
    """A legend of the closed list.

    `share`: of the probability of all that comes near, legends or the letters as they stand, 0–1.
    `letter`: the legend's probability for each letter, their geometric mean.
    """

    text: str
    share: float
    letter: float

    @property
    def state(self) -> str:
        """Whose legend it is."""
        return state_of()[self.text]


def line_of(steps: Map) -> Line | None:
    """The likeliest legend in a strip; None where none comes near. `steps`: T×27, probabilities,
    blank first.
    """
    read = letters_of(steps)
    near = [text for text in similar(read) if differences(read, text) <= allowed(text)]
    if not near:
        return None
    texts = [*near, *(() if read in near else (read,))]
    chances = dict(zip(texts, probabilities(steps, texts), strict=True))
    best = max(near, key=lambda text: chances[text])
    # A NaN among the steps makes both figures NaN, and a NaN never speaks.
    return Line(best, chances[best] / sum(chances.values()), chances[best] ** (1 / len(best)))


def letters_of(steps: Map) -> str:
    """The likeliest choice of every step, without repeats and blanks."""
    chosen = (int(choice) for choice, _ in groupby(steps.argmax(axis=1)))
    return "".join(LETTERS[choice - 1] for choice in chosen if choice)


def allowed(text: str) -> int:
    """By how many letters what was read may differ from this legend; one that stands in another
    state's by none.
    """
    return 0 if text in parts() else len(text) // LETTERS_AN_ERROR


def differences(one: str, other: str) -> int:
    """Letters put in, left out or exchanged."""
    return sum(mine != its for mine, its in align(one, other))


def similar(read: str) -> list[str]:
    """Legends made of nearly the same letters: a quick look, which lets no near one go."""
    texts, counts, most = _counted()
    apart = np.abs(counts - count(read)).sum(axis=1)
    return [texts[index] for index in np.flatnonzero(apart <= most)]


@cache
def _counted() -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """All legends, how often each has each letter, and by how much these counts may differ: an
    exchanged letter is missing once and too many once.
    """
    texts = tuple(state_of())
    return (
        texts,
        np.array([count(text) for text in texts]),
        np.array([2 * allowed(text) for text in texts]),
    )


def count(text: str) -> NDArray[np.int64]:
    """How often each letter is in it."""
    return np.bincount([LETTERS.index(letter) for letter in text], minlength=len(LETTERS))


def probabilities(steps: Map, texts: Sequence[str]) -> list[float]:
    """Of each text, over all ways in which the steps may spell it (Graves et al., 2006)."""
    # A text's places: blank, first letter, blank, second letter … blank.
    places = np.zeros((len(texts), 2 * max(map(len, texts)) + 1), np.intp)
    for row, text in enumerate(texts):
        places[row, 1 : 2 * len(text) : 2] = [1 + LETTERS.index(letter) for letter in text]
    skips = np.zeros(places.shape)  # from letter to letter without a blank, unless it is doubled
    skips[:, 2:] = (places[:, 2:] != 0) & (places[:, 2:] != places[:, :-2])
    mass = np.zeros(places.shape)
    mass[:, :2] = steps[0].astype(float)[places[:, :2]]
    for step in steps[1:].astype(float):
        arrived = mass.copy()
        arrived[:, 1:] += mass[:, :-1]
        arrived[:, 2:] += mass[:, :-2] * skips[:, 2:]
        mass = arrived * step[places]
    ends = 2 * np.array([len(text) for text in texts])
    rows = np.arange(len(texts))
    return [float(one) for one in mass[rows, ends] + mass[rows, ends - 1]]
