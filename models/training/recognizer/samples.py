"""Training samples: drawn plates (each photographed a few times) with some real ones among them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.vision.plate_views import side_by_side
from models.training.recognizer.mixing import donors_of, mixable, mixed
from models.training.recognizer.net import CROP
from models.training.recognizer.real import RealPlate, load_clutter, load_real
from models.training.render.degrade import Crop, photograph
from models.training.render.lettering import Span
from models.training.render.plates import DrawnPlate, draw_plate
from models.training.render.roadside import photograph_posed
from models.training.render.syntax import CHARACTERS, REGIONS

BATCH = 64
FRESH = 28  # plates drawn anew for a batch; the others are older ones, seen anew
REAL = 6
MIXED = 8  # real ones with other characters
LARGE_PX = 150  # a real plate of that width bears nearly as much spoiling as a drawn one
CLUTTER = 2  # of no plate at all: the text is empty
POOL = 4000
NO_REGION = -1  # of what is no plate
TWO_ROWS = 0.08  # of the drawn plates
STACKED = 0.03  # of the drawn plates: with 0.1 it unlearnt others (models/recognizer.md)
POSED = 0.5  # of the samples: seen in the frame's own pixels; the others are spoiled as crops
NEGATED = 0.36  # of the photographs' plates: light on dark, of which the set has hardly any
CUT = 0.04  # of the drawn plates: by the frame's edge
SLASHED = 0.2  # of the drawn plates' zeros; elsewhere a third as many: an 8 looks like such a one
MARKED = 0.35  # of the drawn eu plates; elsewhere a third as many: a U with dots looks like an O
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
    spans: tuple[Span, ...] = ()


def draw(rng: Generator) -> PooledPlate:
    """A new plate."""
    kind = rng.random()
    if kind < STACKED:
        return pooled(draw_plate(rng, region="us", channels=1, stacked=True))
    rows = 2 if kind < STACKED + TWO_ROWS else 1
    return pooled(
        draw_plate(rng, channels=1, rows=rows, stacked=False, slashed=SLASHED, marked=MARKED)
    )


def pooled(drawn: DrawnPlate) -> PooledPlate:
    """A drawn plate, made small."""
    return PooledPlate(
        np.clip(drawn.picture[:, :, 0] * 255, 0, 255).astype(np.uint8),
        drawn.text,
        drawn.region,
        drawn.rows,
        drawn.spans,
    )


def cut_off(rng: Generator, plate: PooledPlate) -> PooledPlate:
    """A plate that the frame's edge cuts: what is left of it, and the text that can be seen.

    Of a character that is cut itself, chance decides whether the text has it: the reader must not
    be sure of either.
    """
    height, width = plate.picture.shape
    kept = rng.uniform(0.45, 0.92) * width
    first, last = (0.0, kept) if rng.random() < 0.5 else (width - kept, float(width))
    left, right = round(first), round(last)
    seen: dict[Span, bool] = {}
    for start, end in plate.spans:
        shown = (min(end, last) - max(start, first)) / max(1.0, end - start)
        seen[start, end] = bool(shown > (0.95 if shown < 0.3 else rng.uniform(0.3, 0.95)))
    text = "".join(c for c, span in zip(plate.text, plate.spans, strict=True) if seen[span])
    beyond = round(rng.uniform(0, 0.1) * height)  # the aligner's corners may lie outside
    picture = cv2.copyMakeBorder(
        plate.picture[:, left:right],
        0,
        0,
        beyond if left else 0,
        0 if left else beyond,
        cv2.BORDER_REPLICATE,
    )
    return replace(plate, picture=picture, text=text, spans=())


def varied(rng: Generator, plate: PooledPlate | RealPlate) -> PooledPlate | RealPlate:
    """A photograph's plate light where it was dark, surroundings included; a drawn one cut off;
    mostly neither.
    """
    if isinstance(plate, RealPlate):
        return replace(plate, picture=1 - plate.picture) if rng.random() < NEGATED else plate
    return cut_off(rng, plate) if plate.spans and rng.random() < CUT else plate


def corners(width: int, height: int) -> NDArray[np.float32]:
    """A whole picture as a quad."""
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)


def seen(
    rng: Generator, plate: PooledPlate | RealPlate, hardness: float, crop: Crop = CROP
) -> NDArray[np.uint8]:
    """One crop of a plate. A fifth stay easy, so that the easy is not unlearnt. Two rows are for
    CROP alone.
    """
    this = hardness * (rng.random() ** 0.7 if rng.random() < 0.8 else 0.2)
    take = photograph_posed if rng.random() < POSED else photograph
    if isinstance(plate, RealPlate):
        # A real photograph is hard as it is, a small one most: turned and recut, but less spoiled.
        wide = float(np.hypot(*(plate.quad[1] - plate.quad[0])))
        return take(
            rng,
            plate.picture,
            plate.quad,
            crop,
            (0.4 + 0.5 * min(1.0, wide / LARGE_PX)) * this,
            surrounded=True,
        )
    height, width = plate.picture.shape
    if plate.rows == 2:
        tall = take(
            rng,
            plate.picture.astype(np.float32) / 255,
            corners(width, height),
            TWO_ROW_CROP,
            this,
            surrounded=False,
        )
        return side_by_side(tall)
    return take(
        rng,
        plate.picture.astype(np.float32) / 255,
        corners(width, height),
        crop,
        this,
        surrounded=False,
    )


def batches(
    seed: int,
    hardness: Callable[[], float],
    data: Path | None,
    draw: Callable[[Generator], PooledPlate] = draw,
    crop: Crop = CROP,
) -> Iterator[Batch]:
    """Batches without end.

    `hardness`: 0–1, asked for every batch. `data`: folder of train.jsonl, or no real plates.
    `draw`: a new plate. `crop`: the size of what is seen.
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
        chosen = [varied(rng, plate) for plate in chosen]
        crops = np.stack([seen(rng, plate, hardness(), crop) for plate in chosen])
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
