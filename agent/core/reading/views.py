"""Which reads of a track are views of their own, and which show the same thing once more.

A plate that stands half hidden is misread alike in every frame. Ten such reads are one witness who
says the same ten times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.core.reading.tracks.motion import apart, grown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from agent.core.reading.sighting import Image, PlateRead

# In plate widths, and as a ratio of widths: what a detector's box trembles by, and a little more.
MOVED, RESIZED = 0.06, 1.06
CHANGED = 12.0  # mean difference of two crops' blocks, in grey levels of 255
ROWS, COLUMNS = 6, 24  # blocks of a crop
SAMPLES = 8  # pixels a block and side at most


def views(reads: Sequence[PlateRead]) -> tuple[int, ...]:
    """For each read the number of its view, from 0.

    It belongs to the first view that began at its place, with a box of its size and a like picture.
    Places that creep make a chain, which would end elsewhere in another order: so views begin from
    the left, whatever the order of the reads.
    """
    begun: list[tuple[PlateRead, NDArray[np.float64]]] = []
    numbers = [0] * len(reads)
    for index in sorted(range(len(reads)), key=lambda one: _rank(reads[one])):
        read = reads[index]
        blocks = _blocks(read.crop)
        number = next(
            (
                place
                for place, (first, its_blocks) in enumerate(begun)
                if _in_place(first, read) and np.abs(its_blocks - blocks).mean() < CHANGED
            ),
            len(begun),
        )
        if number == len(begun):
            begun.append((read, blocks))
        numbers[index] = number
    return tuple(numbers)


def _rank(read: PlateRead) -> tuple[object, ...]:
    return read.box.box, read.captured.utc, read.text.value, read.confidence, read.sharpness


def _in_place(one: PlateRead, other: PlateRead) -> bool:
    return apart(one.box.box, other.box.box) < MOVED and grown(one.box.box, other.box.box, RESIZED)


def _blocks(crop: Image) -> NDArray[np.float64]:
    """ROWS×COLUMNS mean levels of a crop's green channel, 0–255; zeros for an empty crop."""
    height, width = crop.shape[:2]
    if not height or not width:
        return np.zeros((ROWS, COLUMNS))
    rows = np.linspace(0, height - 1, ROWS * SAMPLES).round().astype(int)
    columns = np.linspace(0, width - 1, COLUMNS * SAMPLES).round().astype(int)
    sampled = crop[np.ix_(rows, columns)][:, :, 1].astype(float)
    blocks: NDArray[np.float64] = sampled.reshape(ROWS, SAMPLES, COLUMNS, SAMPLES).mean(axis=(1, 3))
    return blocks
