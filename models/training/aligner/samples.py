"""Training samples: the detector's scenes, cut around boxes that are off as a detector's are, and
around what is no plate.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.vision.aligner import network_input, region_around, whole_px
from models.training.detector import banks, drawn_plates, photographs, signs
from models.training.detector.flat_images import Image
from models.training.detector.scenes import Scene, SceneMaker
from models.training.render.plates import render_plate
from models.training.render.video import filmed

BATCH = 64
CANVAS = (320, 192)  # px of a scene; its plates are 16–260 px wide
PLATES, TWO_ROWS = 2400, 0.3  # in the bank of rendered plates; share with two rows
# Of the careful renderings: light on dark. Drawn signs are mostly such, and are no plates: with as
# many as elsewhere, low dark plates were denied.
DARK = 0.55
# Shares of scenes, as scenes.KINDS. The plate-free photographs stay out: they measure this network.
KINDS = (0.37, 0.23, 0.0, 0.40)
CUTS = 2  # boxes per plate and visit
# Scenes composed anew for a batch, older ones cut anew, and how many of those are kept.
FRESH, AGAIN, POOL = 4, 16, 2500
# Shares of visits to a plate that also show it alone from edge to edge, or a small part of it,
# which is no plate.
CUTTING, PART = 0.08, 0.3
FILMED = 0.4  # of the scenes, through a video encoder
# Share of a cut's sides that may lie outside the scene. More would show mostly repeated border,
# which cameras do not have.
BEYOND = 0.12
SEED = 20261125


@dataclass(frozen=True, slots=True)
class Sample:
    """`crop` 64×96; `corners` 8, shares of the crop (NaN: not known); `hull` 4, its x0, y0, x1, y1;
    `plate`, `rows` 0 or 1, NaN: not known.
    """

    crop: NDArray[np.float32]
    corners: NDArray[np.float32]
    hull: NDArray[np.float32]
    plate: float
    rows: float


@dataclass(frozen=True, slots=True)
class Bank:
    """Rendered plates with their rows noted; stands where SceneMaker expects cached images."""

    images: list[Image]
    notes: list[dict]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Image:
        return self.images[index]


def plate_bank(seed: int) -> Bank:
    """Careful and quick renderings half and half: the quick ones differ more in layout."""
    rng = np.random.default_rng(seed)
    files = signs.fonts()
    images, notes = [], []
    for _ in range(PLATES // 2):
        rows, dark = 2 if rng.random() < TWO_ROWS else 1, bool(rng.random() < DARK)
        drawn = render_plate(rng, rows=rows, light_on_dark=dark)
        images.append(banks.shrink(drawn.image))
        notes.append({"rows": drawn.rows})
    for _ in range(PLATES // 2):
        image = drawn_plates.draw_plate(rng, files)
        images.append(banks.shrink(image))
        notes.append(
            {
                "rows": 2
                if image.shape[1] < 1.92 * image.shape[0] and image.shape[1] < 1.9 * image.shape[0]
                else 0
            }
        )
    return Bank(images, notes)


def off(rng: Generator, hull: NDArray[np.float32]) -> tuple[float, float, float, float]:
    """A detector's box for that hull: half of them close, as at a second look, the others off by up
    to half of their sides.
    """
    far = rng.random()
    size = hull[2:] - hull[:2]
    scale, shift = (0.05, 0.03) if far < 0.35 else (0.16, 0.10) if far < 0.8 else (0.32, 0.18)
    middle = (hull[:2] + hull[2:]) / 2 + np.clip(rng.normal(0, shift, 2), -0.4, 0.4) * size
    sides = size * np.exp(np.clip(rng.normal(0.04, scale, 2), -0.6, 0.8))
    return (*(middle - sides / 2), *sides)


def of_plate(
    rng: Generator, grey: Image, hull: NDArray[np.float32], corners: NDArray[np.float32], rows: int
) -> Sample:
    """One plate, cut around a box that is off."""
    return cut_at(grey, region_around(off(rng, hull)), hull, corners, rows)


def cut_at(
    grey: Image,
    region: NDArray[np.float32],
    hull: NDArray[np.float32],
    corners: NDArray[np.float32],
    rows: int,
) -> Sample:
    """The plate as it lies in that region; `rows` 0: not known."""
    x0, y0, x1, y1 = whole_px(region)
    origin, size = np.array([x0, y0], np.float32), np.array([x1 - x0, y1 - y0], np.float32)
    shares = (corners - origin) / size
    sides = np.concatenate([(hull[:2] - origin) / size, (hull[2:] - origin) / size])
    return Sample(
        network_input(grey, region),
        shares.reshape(8),
        sides,
        1.0,
        float(rows == 2) if rows else np.nan,
    )


def of_nothing(rng: Generator, grey: Image, hull: NDArray[np.float32]) -> Sample:
    """What is no plate."""
    crop = network_input(grey, region_around(off(rng, hull)))
    return Sample(crop, np.full(8, np.nan, np.float32), np.full(4, np.nan, np.float32), 0.0, np.nan)


def of_cutting(
    rng: Generator, grey: Image, hull: NDArray[np.float32], corners: NDArray[np.float32], rows: int
) -> Sample | None:
    """One plate alone from edge to edge, as a person cuts it out; None when it does not lie in the
    picture.
    """
    room = (hull[2:] - hull[:2]) * rng.uniform(-0.02, 0.05, 2)
    x0, y0, x1, y1 = whole_px(np.concatenate([hull[:2] - room, hull[2:] + room]))
    height, width = grey.shape[:2]
    if x0 < 0 or y0 < 0 or x1 > width or y1 > height:
        return None
    edges = np.array([0, 0, x1 - x0, y1 - y0], np.float32)
    around = region_around((0.0, 0.0, float(x1 - x0), float(y1 - y0)))
    return cut_at(
        np.ascontiguousarray(grey[y0:y1, x0:x1]),
        around,
        edges,
        corners - np.array([x0, y0], np.float32),
        rows,
    )


def part_of(rng: Generator, hull: NDArray[np.float32]) -> NDArray[np.float32]:
    """A sticker, a county's name, a slogan: a small box along the plate's upper or lower edge."""
    size = hull[2:] - hull[:2]
    part = size * rng.uniform([0.08, 0.1], [0.4, 0.28])
    start = hull[:2] + np.array(
        [
            rng.uniform(0, size[0] - part[0]),
            rng.uniform(0, 0.1) * size[1]
            if rng.random() < 0.5
            else size[1] - part[1] - rng.uniform(0, 0.1) * size[1],
        ]
    )
    return np.concatenate([start, start + part]).astype(np.float32)


def inside(grey: Image, hull: NDArray[np.float32]) -> bool:
    """Whether the hull's surroundings lie in the picture, all but a little."""
    x0, y0, x1, y1 = region_around((hull[0], hull[1], hull[2] - hull[0], hull[3] - hull[1]))
    height, width = grey.shape[:2]
    slack_x, slack_y = BEYOND * (x1 - x0), BEYOND * (y1 - y0)
    return bool(
        x0 >= -slack_x and y0 >= -slack_y and x1 <= width + slack_x and y1 <= height + slack_y
    )


def elsewhere(rng: Generator, scene: Scene) -> NDArray[np.float32] | None:
    """A hull that no plate touches, or half a plate's worth beside one; None when there is none."""
    height, width = scene.image.shape[:2]
    wide = float(np.exp(rng.uniform(np.log(24), np.log(160))))
    tall = wide / rng.uniform(1.2, 5)
    start = rng.uniform([0, 0], [max(1.0, width - wide), max(1.0, height - tall)])
    hull = np.array([*start, start[0] + wide, start[1] + tall], np.float32)
    return None if scene.taken(hull, 0.0) else hull


def cut(rng: Generator, scene: Scene) -> Iterator[Sample]:
    """Samples of one scene (its image grey), each time others."""
    grey = scene.image
    for hull, corners, rows in scene.plates:
        if hull[2] - hull[0] >= 20:
            for _ in range(CUTS):
                if inside(grey, hull) or rng.random() < 0.15:
                    yield of_plate(rng, grey, hull, corners, rows)
            alone = of_cutting(rng, grey, hull, corners, rows) if rng.random() < CUTTING else None
            if alone is not None:
                yield alone
        if hull[2] - hull[0] >= 60 and rng.random() < PART:
            yield of_nothing(rng, grey, part_of(rng, hull))
    for hull in scene.distractors:
        if not scene.taken(hull, 0.0):
            yield of_nothing(rng, grey, hull)
    hull = elsewhere(rng, scene)
    if hull is not None:
        yield of_nothing(rng, grey, hull)


def batches(seed: int, data: Path, cache: Path) -> Iterator[dict[str, NDArray[np.float32]]]:
    """Batches without end: Sample's fields, N first."""
    rng = np.random.default_rng(seed)
    maker = SceneMaker(photographs.load(data, cache), plate_bank(SEED), banks.load(cache)[1], KINDS)
    waiting: list[Sample] = []
    pool: list[Scene] = []
    while True:
        while len(waiting) < 3 * BATCH:  # mixed over scenes: the samples of one scene are alike
            fresh = [maker.scene(rng, *CANVAS) for _ in range(FRESH)]
            for scene in fresh:
                grey = cv2.cvtColor(scene.image, cv2.COLOR_BGR2GRAY)
                scene.image = filmed(rng, grey) if rng.random() < FILMED else grey
            pool = (pool + fresh)[-POOL:]
            again = [pool[int(i)] for i in rng.integers(0, len(pool), AGAIN)]
            waiting += [sample for scene in fresh + again for sample in cut(rng, scene)]
        order = rng.permutation(len(waiting))
        chosen, waiting = [waiting[i] for i in order[:BATCH]], [waiting[i] for i in order[BATCH:]]
        yield {
            name: np.stack([np.asarray(getattr(sample, name), np.float32) for sample in chosen])
            for name in Sample.__dataclass_fields__
        }
