"""Plate texts as numbers, and which texts can be taken for one another: the keys under which the hot list is looked up."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from agent.core.plate_text import CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Sequence

# Characters that cameras, fonts and people take for one another: each stands for its group (docs/ref/hotlist.md).
CONFUSABLE_GROUPS = ("0ODQ", "1IL", "2Z", "5S", "6G", "8B")
# Of bytes: str.translate looks each character up and takes many times as long.
_FOLD = bytes.maketrans("".join(CONFUSABLE_GROUPS).encode(), "".join(group[0] * len(group) for group in CONFUSABLE_GROUPS).encode())
_GROUP_SIZE = {character: len(group) for group in CONFUSABLE_GROUPS for character in group}
BASE = len(CHARACTERS)


def fold(text: str) -> str:
    """The text with every confusable character replaced by its group's first; equal folds can be mistaken for one another."""
    return text.encode("ascii").translate(_FOLD).decode("ascii")


def text_key(text: str) -> int:
    """A normalised text of at most 12 characters as a number of 64 bits: a one in front, then base 36. Different texts, different numbers.

    The one in front keeps leading noughts apart. The caller has checked the characters: `int` would also take an underscore.
    """
    return int("1" + text, BASE)


def fold_key(text: str) -> int:
    """text_key(fold(text)): the same for all texts that can be taken for one another."""
    return int(b"1" + text.encode("ascii").translate(_FOLD), BASE)


def fold_keys(texts: Sequence[str]) -> list[int]:
    """The fold_key of each of several texts, in one go: three times as quick as one by one."""
    return [int(one, BASE) for one in ("1" + "\n1".join(texts)).encode("ascii").translate(_FOLD).split(b"\n")]


def text_of(key: int) -> str:
    """The inverse of text_key."""
    characters = []
    while key >= BASE:
        key, digit = divmod(key, BASE)
        characters.append(CHARACTERS[digit])
    return "".join(reversed(characters))


def swap_probability(seen: str, listed: str, char_confidence: Sequence[float]) -> float:
    """The probability 0–1 that `listed` stands on the plate where `seen` was read and the two differ within groups; 0 for other texts.

    Characters are taken as independent, and a wrong character as any other of its group with equal chance: coarse, and said so in the reference.
    """
    if len(seen) != len(listed) or len(char_confidence) != len(seen) or fold(seen) != fold(listed):
        return 0.0
    return prod(sure if one == other else (1.0 - sure) / (_GROUP_SIZE[one] - 1) for one, other, sure in zip(seen, listed, char_confidence, strict=True))
