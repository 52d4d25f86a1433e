"""Training samples: drawn plates (each photographed a few times) with some real ones among them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.vision.recognizer import side_by_side
from models.training.recognizer.mixing import donors_of, mixable, mixed
from models.training.recognizer.net import CROP
from models.training.recognizer.real import RealPlate, load_clutter, load_real
from models.training.render.degrade import Crop, photograph
from models.training.render.plates import draw_plate
from models.training.render.syntax import CHARACTERS, REGIONS

BATCH = 64
FRESH = 28  # plates drawn anew for a batch; the others are older ones, seen anew
REAL = 4
MIXED = 6  # real ones with other characters
LARGE_PX = 150  # a real plate of that width bears nearly as much spoiling as a drawn one
CLUTTER = 2  # of no plate at all: the text is empty
POOL = 4000
NO_REGION = -1  # of what is no plate
TWO_ROWS = 0.05  # of the drawn plates
TWO_ROW_CROP = Crop(width=CROP.width // 2, height=CROP.height * 2)


@dataclass(frozen=True, slots=True)
class Batch:
    """`crops`: N×48×128 uint8; `texts`: class numbers 1–36 of all samples, end to end; `lengths`,
    `regions`: N.
    """

    crops: NDArray[np.uint8]
    texts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    regions: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PooledPlate:
    """A drawn plate, kept small: H×W uint8."""

    picture: NDArray[np.uint8]
    text: str
    region: str
    rows: int


def draw(rng: Generator) -> PooledPlate:
    """A new plate."""
    drawn = draw_plate(rng, channels=1, rows=2 if rng.random() < TWO_ROWS else 1)
    return PooledPlate(
        np.clip(drawn.picture[:, :, 0] * 255, 0, 255).astype(np.uint8),
        drawn.text,
        drawn.region,
        drawn.rows,
    )


def corners(width: int, height: int) -> NDArray[np.float32]:
    """A whole picture as a quad."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def seen(rng: Generator, plate: PooledPlate | RealPlate, hardness: float) -> NDArray[np.uint8]:
    """One crop of a plate. A fifth stay easy, so that the easy is not unlearnt."""
    this = hardness * (rng.random() ** 0.7 if rng.random() < 0.8 else 0.2)
    if isinstance(plate, RealPlate):
        # A real photograph is hard as it is, a small one most: turned and recut, but less spoiled.
        wide = float(np.hypot(*(plate.quad[1] - plate.quad[0])))
        return photograph(
            rng,
            plate.picture,
            plate.quad,
            CROP,
            (0.4 + 0.5 * min(1.0, wide / LARGE_PX)) * this,
            surrounded=True,
        )
    height, width = plate.picture.shape
    if plate.rows == 2:
        tall = photograph(
            rng,
            plate.picture.astype(np.float32) / 255,
            corners(width, height),
            TWO_ROW_CROP,
            this,
            surrounded=False,
        )
        return side_by_side(tall)
    return photograph(
        rng,
        plate.picture.astype(np.float32) / 255,
        corners(width, height),
        CROP,
        this,
        surrounded=False,
    )


def batches(seed: int, hardness: Callable[[], float], data: Path | None) -> Iterator[Batch]:
    """Batches without end.

    `hardness`: 0–1, asked for every batch. `data`: folder of train.jsonl, or no real plates.
    """
    rng = np.random.default_rng(seed)
    real, clutter = (load_real(data), load_clutter(data)) if data else ([], [])
    exchanging = mixable(real)
    donors = donors_of(exchanging)
    pool: list[PooledPlate] = []
    while True:
        fresh = [draw(rng) for _ in range(FRESH)]
        pool += fresh
        del pool[:-POOL]
        chosen: list[PooledPlate | RealPlate] = [*fresh]
        chosen += [real[int(i)] for i in rng.integers(0, len(real), REAL)] if real else []
        chosen += (
            [
                mixed(rng, exchanging[int(i)], donors)
                for i in rng.integers(0, len(exchanging), MIXED)
            ]
            if exchanging
            else []
        )
        chosen += (
            [clutter[int(i)] for i in rng.integers(0, len(clutter), CLUTTER)] if clutter else []
        )
        chosen += [pool[int(i)] for i in rng.integers(0, len(pool), BATCH - len(chosen))]
        crops = np.stack([seen(rng, plate, hardness()) for plate in chosen])
        texts = np.array(
            [CHARACTERS.index(c) + 1 for plate in chosen for c in plate.text], np.int64
        )
        lengths = np.array([len(plate.text) for plate in chosen], np.int64)
        yield Batch(
            crops,
            texts,
            lengths,
            np.array(
                [REGIONS.index(plate.region) if plate.text else NO_REGION for plate in chosen],
                np.int64,
            ),
        )
