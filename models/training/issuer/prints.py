"""Draws what a strip of small print says: a state's name, a slogan, anything else, or nothing."""

import tomllib
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from numpy.random import Generator

from agent.vision.issuer.closed_list import LETTERS
from agent.vision.issuer.legends import legends

Value = TypeVar("Value")
# Shares of the strips; the rest says nothing.
NAME, SLOGAN, OTHER, INVENTED, MUTATED = 0.42, 0.12, 0.13, 0.12, 0.07
CONSONANTS, VOWELS = "BCDFGHJKLMNPRSTVWZ", "AEIOUY"


@cache
def tables() -> dict[str, list[str]]:
    """prints.toml."""
    return tomllib.loads((Path(__file__).parent / "prints.toml").read_text(encoding="utf-8"))


@cache
def spelt() -> dict[str, str]:
    """A legend's letters as they are spaced on a plate."""
    return {letters_of(text): text for text in tables()["spaced"]}


def letters_of(text: str) -> str:
    """A–Z alone, as the network reads them."""
    return "".join(letter for letter in text.upper() if letter in LETTERS)


def draw_print(rng: Generator) -> str:
    """One line, in capitals, with its spaces and points; empty: nothing is printed."""
    chance = rng.random()
    for share, draw in (
        (NAME, lambda: any_legend(rng, slogan=False)),
        (SLOGAN, lambda: any_legend(rng, slogan=True)),
        (OTHER, lambda: pick(rng, tables()["others"])),
        (INVENTED, lambda: invented(rng)),
        (MUTATED, lambda: mutated(rng, any_legend(rng, slogan=False))),
    ):
        if chance < share:
            return draw()
        chance -= share
    return ""


def any_legend(rng: Generator, *, slogan: bool) -> str:
    """A state's name or slogan, each state as often as another."""
    known = [own for state in legends() for own in (state.slogans if slogan else state.names,)]
    letters = pick(rng, pick(rng, [own for own in known if own]))
    return spelt().get(letters, letters)


def pick(rng: Generator, values: Sequence[Value]) -> Value:
    """One of them."""
    return values[int(rng.integers(len(values)))]


def invented(rng: Generator) -> str:
    """Syllables that are no word, or letters that are not even syllables."""
    words = []
    for _ in range(int(rng.integers(1, 4))):
        if rng.random() < 0.7:
            word = "".join(
                CONSONANTS[int(rng.integers(18))]
                + VOWELS[int(rng.integers(6))]
                + (CONSONANTS[int(rng.integers(18))] if rng.random() < 0.4 else "")
                for _ in range(int(rng.integers(1, 4)))
            )
        else:
            word = "".join(LETTERS[i] for i in rng.integers(0, 26, int(rng.integers(2, 9))))
        words.append(word)
    return " ".join(words)[:20].strip()


def mutated(rng: Generator, text: str) -> str:
    """Nearly a name: the network must read letters, and not guess the word."""
    place = int(rng.integers(len(text)))
    kind = rng.random()
    if kind < 0.5:
        return text[:place] + LETTERS[int(rng.integers(26))] + text[place + 1 :]
    if kind < 0.75:
        return (text[:place] + text[place + 1 :]).strip()
    cut = int(rng.integers(1, max(2, len(text) // 2)))
    return (text[cut:] if rng.random() < 0.5 else text[:-cut]).strip()
