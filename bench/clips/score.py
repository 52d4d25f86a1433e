"""Holds what was told against the truth: each readable plate once, at once, and for its own car."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.clips.clip import Clip
from bench.clips.telling import Telling, Told, folded

SURE = 0.9
AROUND = 0.3  # of the true box's sides: a read whose middle lies farther off is of another plate


@dataclass(frozen=True, slots=True)
class Score:
    """Counts over clips; they add up.

    A text is right where it is the plate's but for O, Q and 0, I and 1: many issuers draw these
    alike, and a list's lookup takes them for each other. `passes`: readable ones. `once`: of these,
    told rightly, exactly once. `to_the_letter`: of these, with the plate's very characters.
    `duplicates`: right, but told before. `missed`: readable, never told rightly. `wrong`: told with
    0.9 or more, and not what stands on the plate. `unsure`: wrong, with less. `credited`: told with
    the text of another plate of the clip. `mixed`: reads of several plates voted together.
    `alerts_s`: from the first readable frame to the first right telling; below 0 where a plate was
    read before it counts as readable. `decisions_s`: to the same from the first frame that the line
    itself read right.
    """

    passes: int = 0
    once: int = 0
    to_the_letter: int = 0
    duplicates: int = 0
    missed: int = 0
    wrong: int = 0
    unsure: int = 0
    credited: int = 0
    mixed: int = 0
    alerts_s: tuple[float, ...] = ()
    decisions_s: tuple[float, ...] = ()

    def __add__(self, other: "Score") -> "Score":
        return Score(
            *(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__)
        )


def percentile(seconds: Sequence[float], share: float) -> float | None:
    """None where nothing was told."""
    return float(np.percentile(seconds, share)) if seconds else None


def score(clip: Clip, told: Told) -> Score:
    """One clip."""
    owners = [owners_of(clip, telling) for telling in told.tellings]
    right: Counter[int] = Counter()
    to_the_letter = set[int]()
    first_told: dict[int, int] = {}
    wrong = unsure = credited = 0
    for telling, voters in zip(told.tellings, owners, strict=True):
        owner = voters.most_common(1)[0][0] if voters else None
        if owner is not None and same_text(clip.plates[owner].text, telling.text):
            right[owner] += 1
            if clip.plates[owner].text == telling.text:
                to_the_letter.add(owner)
            first_told.setdefault(owner, telling.at)
            continue
        wrong += telling.confidence >= SURE
        unsure += telling.confidence < SURE
        credited += any(same_text(plate.text, telling.text) for plate in clip.plates)
    readable = [number for number, plate in enumerate(clip.plates) if plate.readable]
    told_at = {number: first_told[number] for number in readable if number in first_told}
    return Score(
        passes=len(readable),
        once=sum(right[number] == 1 for number in readable),
        to_the_letter=sum(right[number] == 1 and number in to_the_letter for number in readable),
        duplicates=sum(count - 1 for count in right.values()),
        missed=sum(number not in right for number in readable),
        wrong=wrong,
        unsure=unsure,
        credited=credited,
        mixed=sum(len(voters) > 1 for voters in owners),
        alerts_s=tuple(
            (at - (clip.plates[number].first_readable or 0)) / clip.frames_per_second
            for number, at in told_at.items()
        ),
        decisions_s=tuple(
            (at - told.first_read.get(folded(clip.plates[number].text), at))
            / clip.frames_per_second
            for number, at in told_at.items()
        ),
    )


def same_text(one: str, other: str) -> bool:
    """Whether they differ at most in characters that issuers draw alike."""
    return folded(one) == folded(other)


def owners_of(clip: Clip, telling: Telling) -> Counter[int]:
    """On which plates, by their place in the clip, its reads lay; nothing where there was none."""
    found: Counter[int] = Counter()
    for number, (x, y, width, height) in telling.reads:
        owner = nearest(clip, number, x + width / 2, y + height / 2)
        if owner is not None:
            found[owner] += 1
    return found


def nearest(clip: Clip, number: int, x: float, y: float) -> int | None:
    """The plate around a point of a frame; of several the one whose middle is nearest."""
    best: tuple[float, int] | None = None
    for index, plate in enumerate(clip.plates):
        seen = plate.seen.get(number)
        if seen is None:
            continue
        left, top, width, height = seen.box
        aside = abs(x - left - width / 2) / width, abs(y - top - height / 2) / height
        if max(aside) <= 0.5 + AROUND:
            best = min(best or (2.0, -1), (sum(aside), index))
    return best[1] if best else None
