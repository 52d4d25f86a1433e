"""Says why a read is never sure, by its place in the frame and by its text alone.

Mitigates against: a plate that the frame's edge cuts, told as another car's; a word on a van or a
sign, told as a plate (P10).
"""

from functools import cache

from agent.core.reading.sighting import PlateBox
from agent.core.reasons import Limit
from agent.core.wire.test_plate import is_test_plate
from agent.vision.straight_plate import aspect_of
from agent.vision.syntax import formats
from agent.vision.whole.sign_words import is_wording

# Of the plate's height: corners this near to the frame's edge may be those of a plate that goes on.
# An aligner's corners of cut plates lie up to 0.25 inside (docs/design/whole-plates.md).
NEAR_EDGE = 0.25
# Corners at least this far inside are seldom those of cut plates: measured there too.
SELDOM_CUT = 0.12
# Issuers write no more but for a few, as India's ten: there the setting `longest_text` says so.
# It is most likely two plates, or a plate and letters beside it, read as one.
LONGEST = 9
# Width over height: plates of one row are broader (2.0 in the US, more elsewhere), even from aside.
SQUARE = 1.6


def by_place(box: PlateBox, width: int, height: int) -> frozenset[Limit]:
    """Does the plate come too near to an edge of the frame (px) to be surely whole?

    A picture that is one plate from edge to edge is a person's cutting: no camera gives such.
    """
    if box.whole or _inside(box, width, height, NEAR_EDGE):
        return frozenset()
    return frozenset({Limit.CUT_BY_EDGE})


def seldom_cut(box: PlateBox, width: int, height: int) -> bool:
    """Of a plate near an edge (px): is it far enough from it to be whole, most likely?"""
    return _inside(box, width, height, SELDOM_CUT)


def _inside(box: PlateBox, width: int, height: int, share: float) -> bool:
    """Are all corners at least that share of its height away from each edge? A NaN is not."""
    margin = share * box.box[3]
    return all(margin < x < width - margin and margin < y < height - margin for x, y in box.corners)


def by_rows(box: PlateBox) -> frozenset[Limit]:
    """Of a plate that was taken for one of two rows and read better as one: has it the shape of a
    plate of two?
    """
    return frozenset({Limit.ONE_ROW_OF_TWO}) if aspect_of(box) < SQUARE else frozenset()


def by_text(text: str, region: str, longest: int = LONGEST) -> frozenset[Limit]:
    """What the text lacks, or has more of, than the plates of its region; `region`: "unknown" is
    any; `longest`: characters of the longest plates where the camera stands.
    """
    found = set()
    if is_test_plate(text):  # no issuer's, and its check character says that it is whole
        return frozenset()
    if text and not any(character.isdigit() for character in text):
        found.add(Limit.NO_DIGIT)
    if 0 < len(text) < shortest(region):
        found.add(Limit.TOO_SHORT)
    if len(text) > longest:
        found.add(Limit.TOO_LONG)
    if is_wording(text):
        found.add(Limit.WORDING)
    return frozenset(found)


@cache
def shortest(region: str) -> int:
    """Characters of the region's shortest plate with a digit: without one it is no series."""
    known = formats()
    regions = [known[region]] if region in known else list(known.values())
    return min(len(pattern) for patterns in regions for pattern in patterns if "9" in pattern)
