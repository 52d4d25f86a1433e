"""Looks once more at a plate that was read: was the whole plate seen? Characters that were left out
because they stand one above the other are read now, by a network of their own.

Mitigates against: a part of a plate, or its mirror image, told as another car's plate (P10).
"""

from collections.abc import Callable, Sequence

import numpy as np

from agent.core.hotlist.confusion import fold
from agent.core.reading.sighting import MOST_WHEN_LIMITED, Image, PlateBox
from agent.core.reasons import Limit
from agent.core.wire.test_plate import is_test_plate
from agent.values import dataclass, replace
from agent.vision.ctc import Reading, middles
from agent.vision.plate_views import (
    CLOSE,
    LOOSE,
    TIGHT,
    TOLD_AS_SURE,
    View,
    Views,
    together,
)
from agent.vision.whole.stack_series import may_lack_a_stack
from agent.vision.whole.wholeness import Missing, Sight

# A read less confident than this is told as it is. Of a plate's every frame half sure, a vote would
# make a sure one: so they are looked at too.
JUDGED_FROM = 0.3
# Less confident ones are looked at for a stack, which is often what makes them so.
LOOKED_AT_FROM = 0.1
FEWEST = 2  # characters that have a distance
# What is read out of mirrored characters, almost alone: only such a text is worth another look.
MIRRORABLE = frozenset("012389ACEHIJLMOQSTUVWXY")
# Characters that a text may gain: two or three of a stack, of which the first look made none or one
# character; or two stacks of two.
GAIN = range(1, 5)
STACKS = 2  # at most; each may stand for a character of the first look, and then adds one or two
# What one look reads surely and another does not is told a little below that. It has no limit: most
# of it is right.
NOT_SURE = 0.89

Whole = Callable[[Image, PlateBox, Sight], Missing]


@dataclass(frozen=True, slots=True)
class Stack:
    """What there is of stacked characters.

    `longer`: what is seen with them; `absent`: there are surely none; `denied`: the network that
    reads them sees something else than the first look did, though no text that can be told.
    """

    longer: View | None = None
    absent: bool = False
    denied: bool = False


UNSEEN = Stack()  # nobody knows


class SecondLook:
    """`whole`: wholeness.Wholeness; `stacked`: over models/stacked.onnx, or None."""

    def __init__(self, views: Views, whole: Whole, stacked: Views | None) -> None:
        self._views, self._whole, self._stacked = views, whole, stacked

    def __call__(self, image: Image, box: PlateBox, view: View) -> tuple[View, frozenset[Limit]]:
        """What is seen with the stacked characters, and what the picture has against its text."""
        best, stack = view.best, UNSEEN
        surest = max(reading.probability for reading in readings(view))
        if box.whole or len(best.text) < FEWEST or surest < LOOKED_AT_FROM:
            return view, frozenset()
        if is_test_plate(best.text):  # in no issuer's format, and whole by its check character
            return view, frozenset()
        if best.probability < JUDGED_FROM:
            stack = self._stack(image, box, view)
            if not stack.longer:
                return view, frozenset()
        missing = self._whole(image, box, sight(view))
        likely = any(
            may_lack_a_stack(reading.text, view.regions.tolist()) for reading in readings(view)
        )
        if stack == UNSEEN and (likely or missing.perhaps_stacked):
            stack = self._stack(image, box, view, left_out=missing.stacked)
        lost = missing.stacked and not stack.longer and not stack.absent
        view = stack.longer or view
        if missing.part or lost:
            most = min(missing.right, MOST_WHEN_LIMITED if lost else NOT_SURE)
            return replace(view, most=most), frozenset({Limit.HIDDEN})
        if stack.longer:
            return view, frozenset()
        view = doubted(view) if stack.denied and likely else view
        mirrored = MIRRORABLE.issuperset(best.text) and self._mirrored(view)
        return view, frozenset({Limit.MIRRORED} if mirrored else ())

    def _stack(self, image: Image, box: PlateBox, view: View, *, left_out: bool = False) -> Stack:
        """What the network that reads stacked characters makes of the plate. `left_out`: there are
        some that the first look surely did not read.
        """
        if self._stacked is None or box.rows == 2:
            return UNSEEN
        close = self._stacked.look(image, box, CLOSE)
        seen, (told, own) = close.best, readings(view)
        fitting = mended if left_out else gained
        # Of what the reviewer only guessed at, it is not the last word that it guessed right.
        guessed = seen.text != own.text and fitting(own.text, seen.text)
        if seen.text == told.text and not guessed:
            sure, doubtful = seen.probability >= TOLD_AS_SURE, seen.probability < JUDGED_FROM
            return Stack(absent=sure, denied=doubtful)

        def fits(longer: str) -> bool:
            return any(fitting(reading.text, longer) for reading in readings(view))

        if not fits(seen.text):
            return Stack(denied=True)
        crops = [close, *(self._stacked.look(image, box, inset) for inset in (LOOSE, TIGHT))]
        longer = agreed(crops)
        # Of less, the first look is the better one, unless that is wrong in any case.
        likely = left_out or longer.best.probability >= JUDGED_FROM
        if likely and fits(longer.best.text):
            return Stack(replace(longer, stacked=True))
        return Stack(denied=longer.best.text != told.text)

    def _mirrored(self, view: View) -> bool:
        """Does the picture say more surely something else when left and right are exchanged?

        One look is compared with one look: several of a mirrored plate can be surer together than
        one of it turned.
        """
        told, first = readings(view)
        turned = self._views.seen(np.ascontiguousarray(view.crop[:, ::-1])).best
        return turned.text != told.text and turned.probability > first.probability


def agreed(crops: Sequence[View]) -> View:
    """What several crops show. It is sure only where each of them is: small characters that look
    alike are else told surely, as the 8 for the B above the G.
    """
    longer = together(*crops)
    surely = all(
        crop.best.text == longer.best.text and crop.best.probability >= TOLD_AS_SURE
        for crop in crops
    )
    return longer if surely else doubted(longer)


def readings(view: View) -> tuple[Reading, Reading]:
    """What is to be told, and what the recogniser's own look read: it leaves a stack out, at which
    the reviewer guesses.
    """
    return view.best, view.first or view.best


def doubted(view: View) -> View:
    """The same, not told surely."""
    return replace(view, most=min(view.most, NOT_SURE))


def gained(text: str, longer: str) -> bool:
    """Is the longer text the other one with a stack or two put in, perhaps in place of a character
    each? Characters that look alike count as the same.
    """
    gain, known = len(longer) - len(text), common(fold(text), fold(longer))
    return gain in GAIN and known >= max(FEWEST, len(text) - min(gain, STACKS))


def mended(text: str, other: str) -> bool:
    """As gained(), where a stack was left out for sure: it may have been read as two characters."""
    gain, known = len(other) - len(text), common(fold(text), fold(other))
    as_long = gain == 0 or gain in GAIN
    return as_long and known >= max(FEWEST, len(text) - STACKS)


def common(one: str, other: str) -> int:
    """The length of their longest common subsequence."""
    row = [0] * (len(other) + 1)
    for character in one:
        before = row[:]
        for place, another in enumerate(other, 1):
            same = before[place - 1] + (character == another)
            row[place] = max(same, before[place], row[place - 1])
    return row[-1]


def sight(view: View) -> Sight:
    """What wholeness is judged by; characters' middles as shares of the plate's width."""
    crosswise = len(view.steps) * (1 - 2 * CLOSE[0])
    start = len(view.steps) * CLOSE[0] - 0.5
    text = view.best.text
    places = [(step - start) / crosswise for step in middles(view.steps, text)]
    return Sight(text, places, view.regions.tolist(), view.features, view.best.probability)
