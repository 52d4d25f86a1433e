"""Plate texts: the tables of issuers' formats, and a draw from them."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from numpy.random import Generator

DIGITS = "0123456789"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CHARACTERS = DIGITS + LETTERS
REGIONS = ("us", "eu", "uk", "br")
PLACE = re.compile(r"\[[A-Z0-9]+\]|.")
TALL = re.compile(r"\[...\]")  # in a series


@dataclass(frozen=True, slots=True)
class Draft:
    """A text with its separators still in it, as "AB9-C1D".

    In brackets: small characters one above the other, top first, as "[DV]4821". They belong to
    the number.
    """

    spaced: str

    @property
    def text(self) -> str:
        """A–Z and 0–9 only."""
        return "".join(character for character in self.spaced if character in CHARACTERS)

    @property
    def places(self) -> tuple[str, ...]:
        """From left to right: one character, "-", or the characters of a stack."""
        return tuple(found.strip("[]") for found in PLACE.findall(self.spaced))


@cache
def tables() -> dict:
    """tables.toml."""
    return tomllib.loads((Path(__file__).parent / "tables.toml").read_text(encoding="utf-8"))


def font_names() -> frozenset[str]:
    """All that the tables' font lists name."""
    return frozenset(name for region in REGIONS for name in tables()[region]["fonts"])


@cache
def cumulative(*weights: float) -> tuple[float, ...]:
    """Running sums, scaled to end at 1."""
    total, sums = 0.0, []
    for weight in weights:
        total += weight
        sums.append(total)
    return tuple(value / total for value in sums)


def choose(rng: Generator, items: list, weights: tuple[float, ...]):
    """One of `items`, by weight. Far faster than Generator.choice for short lists."""
    at = rng.random()
    for item, limit in zip(items, cumulative(*weights), strict=True):
        if at < limit:
            return item
    return items[-1]


def filled(rng: Generator, pattern: str, unused: str) -> str:
    """A pattern with its places drawn."""
    letters = [c for c in LETTERS if c not in unused]
    any_character = letters + list(DIGITS)
    out, rest = [], pattern
    while rest:
        place, rest = rest[0], rest[1:]
        if place == "{":
            prefixes, rest = rest.split("}", 1)
            choices = prefixes.split()
            out.append(choices[int(rng.integers(len(choices)))])
        elif place == "A":
            out.append(letters[int(rng.integers(len(letters)))])
        elif place == "9":
            out.append(DIGITS[int(rng.integers(10))])
        elif place == "N":
            out.append(DIGITS[int(rng.integers(1, 10))])
        elif place == "?":
            out.append(any_character[int(rng.integers(len(any_character)))])
        else:
            out.append(place)
    return "".join(out)


def draw_region(rng: Generator) -> str:
    """A region by the tables' shares."""
    shares = tables()["regions"]
    return choose(rng, list(shares), tuple(shares.values()))


def draw_text(rng: Generator, region: str) -> Draft:
    """A text in one of the region's formats."""
    series = tables()[region]["series"]
    _, pattern, unused = choose(rng, series, tuple(entry[0] for entry in series))
    return Draft(filled(rng, pattern, unused))


def draw_stacked(rng: Generator, *, tall: bool = False) -> Draft:
    """A text with small characters one above the other, before, behind or between the others.

    `tall`: three of them.
    """
    series = tables()["stacked"]["series"]
    series = [entry for entry in series if not tall or TALL.search(entry[1])]
    _, pattern, unused = choose(rng, series, tuple(entry[0] for entry in series))
    return Draft(filled(rng, pattern, unused))


def spaced_out(rng: Generator, text: str) -> Draft:
    """A separator put into a given text where letters meet digits, sometimes."""
    if rng.random() < 0.3:
        return Draft(text)
    meets = [i for i in range(1, len(text)) if text[i].isdigit() != text[i - 1].isdigit()]
    if not meets:
        return Draft(text)
    cut = meets[0] if rng.random() < 0.7 else meets[-1]
    return Draft(f"{text[:cut]}-{text[cut:]}")
