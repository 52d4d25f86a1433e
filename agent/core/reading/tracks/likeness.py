"""What the texts of two reads say of one another: one vehicle, another one, or nothing."""

from __future__ import annotations

from enum import Enum, auto
from math import fsum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.reading.sighting import PlateRead

READABLE = 0.3  # a read less confident than this says little about which vehicle it is
SURE = 0.9
DOUBTFUL = 0.6  # a read no surer, alone, may be a misread of anything
SIMILAR = 0.7  # of seven characters, two may differ
HALF = 0.5  # below this, two readable texts have nothing to do with one another


class Relation(Enum):
    """Of a read to the best read of a track."""

    SAME = auto()  # the very text
    SIMILAR = auto()  # the same but for what one of them is not sure of
    UNKNOWN = auto()  # one of them says too little
    OTHER = auto()  # both are readable, and differ


def relation(best: PlateRead, read: PlateRead) -> Relation:
    """Text alone; the place is asked elsewhere.

    An unreadable or a short read may look like anything. Two sure ones that differ in one character
    are two vehicles, or one misread: that, only further reads can tell.
    """
    if not (readable(best) and readable(read)) or part(read, best) or part(best, read):
        alike = similarity(best.text.value, read.text.value)
        return Relation.SIMILAR if alike >= SIMILAR else Relation.UNKNOWN
    if best.text == read.text:
        return Relation.SAME
    if min(best.confidence, read.confidence) >= SURE:
        return Relation.OTHER
    alike = similarity(best.text.value, read.text.value)
    return Relation.SIMILAR if alike >= SIMILAR else Relation.OTHER


def readable(read: PlateRead) -> bool:
    """Does it say anything about which vehicle it is?"""
    return len(read.text) > 0 and read.confidence >= READABLE


def doubtful(read: PlateRead) -> bool:
    """May its text be a misread of one that has nothing in common with it?"""
    return read.confidence <= DOUBTFUL


def short(read: PlateRead, beside: PlateRead) -> bool:
    """Has it less than half of the other's characters? It is a piece of a plate, or none."""
    return 2 * len(read.text) < len(beside.text)


def part(read: PlateRead, whole: PlateRead) -> bool:
    """May it be the same plate, half hidden? One character less may as well be another plate, or
    the same without a band that was taken for a letter.
    """
    return short(read, whole) or part_of(read.text.value, whole.text.value)


def part_of(text: str, whole: str) -> bool:
    """Is it what is left of a text where two characters or more are hidden at its ends?"""
    return 0 < len(text) <= len(whole) - 2 and text in whole


def worth(read: PlateRead) -> float:
    """How much of a plate was read: the expected number of right characters.

    A single character, however sure, is worth less than a whole plate that is half sure.
    """
    return fsum(read.char_confidence)


def similarity(a: str, b: str) -> float:
    """How alike two texts are, 0–1: one less the edit distance over the longer one's length; 0
    where either is empty.
    """
    if not a or not b:
        return 0.0
    previous = list(range(len(b) + 1))
    for i, left in enumerate(a, 1):
        current = [i]
        for j, right in enumerate(b, 1):
            current.append(min(previous[j] + 1, current[-1] + 1, previous[j - 1] + (left != right)))
        previous = current
    return 1.0 - previous[-1] / max(len(a), len(b))
