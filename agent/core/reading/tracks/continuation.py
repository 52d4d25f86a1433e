"""How likely a read continues a vehicle that is followed: by place, motion and text together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.reading.tracks.likeness import HALF, Relation, doubtful, relation, similarity
from agent.core.reading.tracks.motion import SAME_SIZE, grown

if TYPE_CHECKING:
    from datetime import datetime

    from agent.core.reading.overlap import Box
    from agent.core.reading.sighting import PlateRead
    from agent.core.reading.tracks.followed import Followed
    from agent.core.reading.tracks.motion import Motion

MAX_GROWTH = 3.0  # of a plate's width from one sight to the next
UNKNOWN_REACH = 1.5  # plate widths, where time has not passed
GLIMPSE_S = 0.5  # so near in time, a doubtful read may be a misread of a text unlike it


def likeness(
    one: Followed, read: PlateRead, now: datetime, *, widths_per_s: float, gap_s: float
) -> float:
    """How likely the read continues the vehicle: 0 impossible; place, size and text each have a
    veto.

    The very text may lie as far away as a vehicle can drive, a similar one too until its motion is
    known. What says too little must fit by place and motion, and so must another text: it is a
    misread, or another vehicle on the same spot. `gap_s`: out of sight for longer, a vehicle whose
    text is not quite the same must still stand there.
    """
    motion, box, unseen_s = one.motion, read.box.box, (now - one.motion.at).total_seconds()
    fits, reach = motion.fits(box, now), UNKNOWN_REACH + widths_per_s * unseen_s
    in_reach = motion.from_last(box) <= reach
    if not fits and not (in_reach and grown(box, motion.box, MAX_GROWTH)):
        return 0.0  # most pairs of a busy frame end here, before the texts are compared
    related = relation(one.best, read)
    near = 1.0 / (1.0 + min(motion.from_last(box), motion.from_expected(box, now)))
    if related is Relation.SAME and in_reach:
        return 2.0 + near
    if _two_vehicles(one, read, related, unseen_s) or (
        unseen_s > gap_s and related is not Relation.UNKNOWN and not (fits and _stood(motion, box))
    ):
        return 0.0
    if (
        related is Relation.SIMILAR
        and in_reach
        and (not motion.known or motion.from_expected(box, now) <= reach / 2)
    ):
        return 1.0 + near
    return 0.5 * near if fits else 0.0


def _stood(motion: Motion, box: Box) -> bool:
    """Is it in the place, and of the size, of what was seen last? What is nearer than that, or
    beside it, and reads a little otherwise, is the next car of a fleet; so it is in the very place
    of one that drove on.
    """
    return motion.covers(box) and grown(box, motion.box, SAME_SIZE)


def _two_vehicles(one: Followed, read: PlateRead, related: Relation, unseen_s: float) -> bool:
    """Have the texts nothing in common? Then they are two vehicles wherever they are, but for a
    single doubtful read a moment ago: it may be a misread of a car that came or went too fast.
    """
    if related is not Relation.OTHER or similarity(one.best.text.value, read.text.value) >= HALF:
        return False
    alone = one.told is None and len(one.reads) == 1 and doubtful(one.best)
    return unseen_s > GLIMPSE_S or not (alone or doubtful(read))
