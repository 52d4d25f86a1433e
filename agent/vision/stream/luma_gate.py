"""Says whether a frame differs from the last one that was looked at: luminance averaged in cells,
compared cell by cell. Where nothing has changed, the networks need not look.

A light that rises or falls everywhere is no change, nor is noise; what moves all the time without
ever bringing a plate, as a tree in the wind, counts less and less.
"""

from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Frame, Image
from agent.light_meter import luminance
from agent.values import dataclass

# Over the frame's width. The narrowest plate that the detector finds is nearly two cells wide.
CELLS_ACROSS = 80
ROWS_A_CELL = 2  # of the picture, of a cell's 16 or more: they average noise as well as all do
# In grey levels. A change counts from so many times the frame's own noise, within these bounds:
# a lorry that fills half of the frame is not taken for noise.
NOISE_TIMES, LEAST, MOST = 5.0, 5.0, 12.0
ALONE_TIMES = 2.5  # one cell alone must differ by so much more: a raindrop, a hot pixel
TOUCHING = 2  # otherwise so many cells of three by three must differ
# Rain and snow change a few cells in each frame, each time others: so many times what all but
# three in a hundred cells stay below, as learned while no plate came; at most so much.
TAIL, TAIL_TIMES, TAIL_MOST = 0.97, 2.0, 18.0
SAMPLE = 7  # every seventh cell is enough for the light and the noise of a frame
DARKEST = 1.0  # grey level below which a cell says nothing about how the light has changed
LIGHT_TIMES = 2.5  # what gets so much lighter or darker is no drift any more
FOLLOW_S = 2.0  # in which the reference follows a slow change
LEARN_EVERY_S = 0.3  # while nothing changes
# What moves and brings no plate is learned within UNREST_S, and forgotten within CALM_S. Of one
# change only so much counts that a passing car teaches little. A cell is never blinded: from
# UNREST_MOST grey levels on, a change counts whatever usually moves there.
UNREST_S, CALM_S, UNREST_TIMES, UNREST_MOST = 4.0, 20.0, 4.0, 24.0
PER_MEDIAN = 1.4826  # a normal distribution's deviation, in medians of the absolute value

Cells = NDArray[np.float32]


@dataclass(slots=True)
class _Memory:
    """`reference`: the cells as last looked at, following slowly. `now`: those of the last frame.
    `change`: between both, less what the light did, when it was last worked out. `limits`: from
    where on a change counts. `unrest`: how much usually moves there without a plate.
    """

    reference: Cells
    now: Cells
    change: Cells
    limits: Cells
    unrest: Cells
    learned: datetime
    tail: float = 0.0


class LumaGate:
    """Implements ports.MotionGate on the frame's luminance.

    One pass over an eighth of the picture's rows: about a twentieth of the detector's time.
    """

    def __init__(self) -> None:
        self._memory: _Memory | None = None

    def changed(self, frame: Frame) -> bool:
        """Whether any part of the frame differs from the last one that was `looked` at; True for
        the first one and for another size.
        """
        cells, memory, now = cells_of(frame.image), self._memory, frame.captured.utc
        if memory is None or memory.now.shape != cells.shape:
            none = np.zeros_like(cells)
            self._memory = _Memory(cells.copy(), cells, none, none + LEAST, none.copy(), now)
            return True
        memory.now = cells
        # Most frames end here. The rest costs as much again.
        alike = bool((cv2.absdiff(cells, memory.reference) <= memory.limits).all())
        if alike and 0 <= (now - memory.learned).total_seconds() < LEARN_EVERY_S:
            return False
        memory.change = change(cells, memory.reference)
        memory.limits = limits(memory.change, memory.unrest, memory.tail)
        if counts(memory.change, memory.limits):
            return True
        follow(memory.reference, cells, (now - memory.learned).total_seconds() / FOLLOW_S)
        self._learn(memory, now)
        return False

    def looked(self, now: datetime, *, news: bool) -> None:
        """The detector has looked at the last frame, of the moment `now`: the next ones are
        compared with it.

        `news`: it saw other plates than before, so what moved is worth looking at.
        """
        memory = self._memory
        if memory is not None:
            memory.reference = memory.now.copy()
            if news:
                memory.learned = now
            else:
                self._learn(memory, now)

    @staticmethod
    def _learn(memory: _Memory, now: datetime) -> None:
        seconds = max((now - memory.learned).total_seconds(), 0.0)
        memory.tail += min(seconds / CALM_S, 1.0) * (quantile(memory.change, TAIL) - memory.tail)
        taught = np.minimum(memory.change, np.float32(UNREST_MOST / UNREST_TIMES))
        calmer = memory.unrest.copy()
        follow(calmer, taught, seconds / CALM_S)
        follow(memory.unrest, taught, seconds / UNREST_S)
        np.maximum(memory.unrest, calmer, out=memory.unrest)
        memory.learned = now


def cells_of(image: Image) -> Cells:
    """The luminance of an H×W×3 BGR or H×W grey image, averaged in cells of W/80 px, in grey
    levels.
    """
    height, width = image.shape[:2]
    across = min(CELLS_ACROSS, width)
    down = max(1, round(height * across / width))
    step = max(1, height // (ROWS_A_CELL * down))
    rows = luminance(image[step // 2 :: step])
    return np.asarray(cv2.resize(rows, (across, down), interpolation=cv2.INTER_AREA), np.float32)


def follow(slow: Cells, new: Cells, share: float) -> None:
    """Move the slow cells by that share of the way to the new ones, in place."""
    cv2.accumulateWeighted(new, slow, min(max(share, 0.0), 1.0))


def change(cells: Cells, reference: Cells) -> Cells:
    """How much each cell differs, in grey levels, after the reference was made lighter or darker
    as the whole frame was.
    """
    lighter = np.asarray(np.maximum(cells, DARKEST) / np.maximum(reference, DARKEST), np.float32)
    light = np.float32(min(max(quantile(lighter, 0.5), 1 / LIGHT_TIMES), LIGHT_TIMES))
    return np.asarray(cv2.absdiff(cells, light * reference), np.float32)


def limits(change: Cells, unrest: Cells, tail: float) -> Cells:
    """From where on a change of each cell is more than noise and what usually moves there."""
    noise = PER_MEDIAN * quantile(change, 0.5)
    least = max(LEAST, min(NOISE_TIMES * noise, MOST), min(TAIL_TIMES * tail, TAIL_MOST))
    usual = np.clip(UNREST_TIMES * unrest, np.float32(least), np.float32(UNREST_MOST))
    return np.asarray(usual, np.float32)


def counts(change: Cells, limits: Cells) -> bool:
    """Whether one cell differs by much, or several that touch each other."""
    times = change / limits
    most = float(times.max())
    if not 1 <= most < ALONE_TIMES:
        return most >= 1
    over = (times >= 1).astype(np.float32)
    touching = cv2.boxFilter(over, -1, (3, 3), normalize=False, borderType=cv2.BORDER_CONSTANT)
    return bool((over * touching >= TOUCHING).any())


def quantile(cells: Cells, share: float) -> float:
    """What that share of the cells stays below, from a sample of them. numpy's own quantile and
    median take three times as long.
    """
    some = cells.ravel()[::SAMPLE]
    place = int(share * (some.size - 1))
    return float(np.partition(some, place)[place])
