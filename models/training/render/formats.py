"""Writes agent/vision/formats.json: how likely each pattern of letters and digits is in each
region, from the tables that the training draws from; and agent/vision/whole/no_stack.json: those
patterns of each region of which no stacked characters can have been left out.

python -m models.training.render.formats
"""

import json
import math
from itertools import product
from pathlib import Path

from models.training.render.syntax import DIGITS, PLACE, REGIONS, tables

VISION = Path(__file__).parents[3] / "agent" / "vision"
TARGET, NO_STACK = VISION / "formats.json", VISION / "whole" / "no_stack.json"
DIGITS_PLACES = "9N"


def patterns(series: str) -> list[str]:
    """One series as patterns of A (letter) and 9 (digit); "?" stands for both."""
    out, rest = [""], series
    while rest:
        place, rest = rest[0], rest[1:]
        if place == "{":
            prefixes, rest = rest.split("}", 1)
            out = [begun + "A" * len(prefixes.split()[0]) for begun in out]
        elif place == "?":
            out = [begun + kind for begun in out for kind in "A9"]
        elif place != "-":
            out = [
                begun + ("9" if place in DIGITS_PLACES or place in DIGITS else "A") for begun in out
            ]
    return out


def shares() -> dict[str, dict[str, float]]:
    """Region → pattern → share of the region's plates, likeliest first; free texts ("?") count in
    the reader's floor instead.
    """
    result = {}
    for region in REGIONS:
        series = [
            (weight, spelt) for weight, spelt, _ in tables()[region]["series"] if "?" not in spelt
        ]
        total = math.fsum(weight for weight, _ in series)
        found: dict[str, list[float]] = {}
        for weight, spelt in series:
            (pattern,) = patterns(spelt)
            found.setdefault(pattern, []).append(weight / total)
        # Rounded, so that it is the same in every Python.
        rounded = {pattern: round(math.fsum(weights), 5) for pattern, weights in found.items()}
        result[region] = dict(sorted(rounded.items(), key=lambda item: (-item[1], item[0])))
    return result


def without_stack(series: str) -> set[str]:
    """The patterns of what a series is read as where each of its stacks is left out, or taken for a
    letter or a digit.
    """
    places = (("", "A", "9") if len(place) > 1 else (place,) for place in PLACE.findall(series))
    return {pattern for read in product(*places) for pattern in patterns("".join(read))}


def no_stack() -> dict[str, list[str]]:
    """Region → its listed patterns that none of the series with stacked characters is read as."""
    stacked = (spelt for _, spelt, _ in tables()["stacked"]["series"])
    read = set().union(*map(without_stack, stacked))
    return {region: sorted(set(listed) - read) for region, listed in shares().items()}


def files() -> dict[Path, str]:
    """Each file's text."""
    made = {TARGET: shares(), NO_STACK: no_stack()}
    return {file: json.dumps(held, indent=1) + "\n" for file, held in made.items()}


if __name__ == "__main__":
    for file, text in files().items():
        file.write_text(text, encoding="utf-8")
        print(file)
