"""Training samples: drawn strips, each photographed a few times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.vision.issuer.closed_list import LETTERS
from models.training.issuer.strips import DrawnStrip, draw_strip, seen

BATCH = 32
FRESH = 12  # strips drawn anew for a batch; the others are older ones, seen anew
POOL = 4000
FEWEST = 400  # in the pool before the first batch
NEGATED = 0.2


@dataclass(frozen=True, slots=True)
class Batch:
    """`strips`: N×48×192 uint8; `texts`: class numbers 1–26 of all samples, end to end; `places`:
    where these letters stand, px from the left; `lengths`: N.
    """

    strips: NDArray[np.uint8]
    texts: NDArray[np.int64]
    places: NDArray[np.float32]
    lengths: NDArray[np.int64]


def batches(seed: int, hardness: Callable[[], float]) -> Iterator[Batch]:
    """Without end. `hardness`: 0 clean – 1 everything."""
    rng = np.random.default_rng(seed)
    pool = [draw_strip(rng) for _ in range(FEWEST)]
    while True:
        fresh = [draw_strip(rng) for _ in range(FRESH)]
        again = [pool[int(i)] for i in rng.integers(0, len(pool), BATCH - FRESH)]
        pool = (pool + fresh)[-POOL:]
        yield batch(rng, fresh + again, hardness())


def batch(rng: Generator, drawn: list[DrawnStrip], hardness: float) -> Batch:
    """All of them, seen once."""
    views = [seen(rng, one, hardness) for one in drawn]
    strips = [255 - strip if rng.random() < NEGATED else strip for strip, _ in views]
    texts = [LETTERS.index(letter) + 1 for one in drawn for letter in one.letters]
    return Batch(
        np.stack(strips),
        np.array(texts, np.int64),
        np.concatenate([places for _, places in views]).astype(np.float32),
        np.array([len(one.letters) for one in drawn], np.int64),
    )
