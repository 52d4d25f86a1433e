"""Measures the whole line, as a camera runs it, on photographs that nobody trained on; prints
figures only, never a text or a file name.

    python -m models.training.evaluate [--data ../shared/plates] [--part tune|test|both]
    [--models DIR] [--copies 6] [--shrunk]

Photographs with texts are split in two by their content (models/training/parts.py): choose on
*tune*, the default, and quote *test*.

Exact texts of whole scenes are `make bench`'s; here: recall, false boxes, cuttings of plates,
regions, and what is no plate. With `--copies` the benchmark's pictures are seen several times,
moved by a few pixels and scaled: one plate in forty changes its reading by that alone, so that two
networks are better compared over the copies. With `--shrunk` they are shrunk step by step instead:
how wide a plate must be (docs/design/aim.md).
"""

import argparse
import csv
import hashlib
import json
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from agent.core.reading.overlap import Box, overlap
from agent.core.reading.sighting import Frame, Image, PlateBox, PlateRead
from agent.core.time.instant import Instant
from agent.pipeline import plates_in
from agent.ports import PlateDetector, PlateReader
from agent.vision.model_loader import load_vision
from bench.calibration import equal_width, expected_error
from bench.intervals import Figure, share
from bench.scoring import SURE, load_benchmark, plain
from models.training.detector.photographs import PLATE_FREE
from models.training.detector.signs import fonts, render_sign
from models.training.parts import PARTS, Part, part_of_file
from models.training.polarity import light_on_dark

NOW = Instant(datetime(2026, 1, 1, tzinfo=UTC))
SIGNS, SIGNS_SEED = 600, 4711
FOUND = 0.3  # overlap with the true plate
FALSE_BELOW = 0.1  # overlap with every true plate
# Pixels cut off at the left and the top; the scale.
COPIES = ((0, 0, 1.0), (5, 3, 1.0), (2, 9, 1.0), (0, 0, 0.96), (4, 6, 1.03), (7, 1, 0.93))
SHRUNK = (1.0, 0.93, 0.86, 0.8, 0.74, 0.68, 0.62, 0.57, 0.52, 0.47, 0.43, 0.39, 0.35, 0.3)
WIDTHS_PX = (30, 40, 50, 60, 80, 120)


@dataclass(frozen=True, slots=True)
class Seen:
    """One picture: its region or set, its true boxes, what was read."""

    where: str
    truth: tuple[Box, ...]
    reads: tuple[PlateRead, ...]
    texts: tuple[str, ...]
    levels: tuple[float, ...]  # mean grey of each true plate, 0–255
    dark: tuple[bool, ...]  # of each true plate: light characters on a dark ground


def pictures(
    data: Path, parts: Sequence[Part]
) -> Iterator[tuple[str, Path, tuple[Box, ...], tuple[str, ...]]]:
    """Set, path, true boxes, true texts: those parts of benchmark_dev by region; without texts
    romania_night's valid split and darkplate's frames without a plate.
    """
    for image in load_benchmark(data / "benchmark_dev"):
        if part_of_file(image.path) not in parts:
            continue
        yield (
            image.region,
            image.path,
            tuple(plate.box for plate in image.plates),
            tuple(plate.text for plate in image.plates),
        )
    for line in (data / "train.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.get("split") == "valid":
            yield (
                "night",
                data / record["file"],
                tuple(tuple(plate["box"]) for plate in record["plates"]),
                (),
            )
    for name in PLATE_FREE.read_text(encoding="utf-8").split():
        yield "free", data / name, (), ()


def copied(
    image: Image, boxes: tuple[Box, ...], copy: tuple[int, int, float]
) -> tuple[Image, tuple[Box, ...]]:
    """The picture moved and scaled, and its boxes with it."""
    left, top, scale = copy
    moved = np.ascontiguousarray(image[top:, left:])
    if scale != 1.0:
        moved = cv2.resize(
            moved,
            None,
            fx=scale,
            fy=scale,
            interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
        )
    return moved, tuple(
        ((x - left) * scale, (y - top) * scale, width * scale, height * scale)
        for x, y, width, height in boxes
    )


def opened(where: str, path: Path) -> Image:
    """The picture, H×W×3 BGR. Raises OSError that names its set only."""
    image = cv2.imread(str(path))
    if image is None:
        message = f"a picture of {where} is not readable"
        raise OSError(message)
    return np.asarray(image, np.uint8)


def see(
    vision: tuple[PlateDetector, PlateReader], data: Path, copies: int, parts: Sequence[Part]
) -> list[Seen]:
    """Every picture through the line, those with texts `copies` times."""
    seen = []
    for where, path, truth, texts in pictures(data, parts):
        image = opened(where, path)
        plates = [image[int(y) : int(y + h) + 1, int(x) : int(x + w) + 1] for x, y, w, h in truth]
        levels = tuple(float(plate.mean()) for plate in plates)
        dark = tuple(light_on_dark(plate) for plate in plates)
        for copy in COPIES[: copies if texts else 1]:
            moved, boxes = copied(image, truth, copy)
            seen.append(
                Seen(
                    where,
                    boxes,
                    tuple(plates_in(*vision, Frame(moved, NOW, 0))),
                    texts,
                    levels,
                    dark,
                )
            )
    return seen


class Said(NamedTuple):
    """Of what was read on one plate: its confidence, whether it is right, folded, and whether it
    has a limit, so that it is never sure.
    """

    confidence: float
    right: bool
    limited: bool


def best_of(reads: Sequence[PlateRead], box: Box, text: str) -> Said | None:
    """What was read on this plate; None: not found."""
    best = max(reads, key=lambda read: overlap(read.box.box, box), default=None)
    if best is None or overlap(best.box.box, box) < FOUND:
        return None
    right = plain(best.text.value, fold=True) == plain(text, fold=True)
    return Said(best.confidence, right, bool(best.limits))


def print_shrunk(
    vision: tuple[PlateDetector, PlateReader], data: Path, parts: Sequence[Part]
) -> None:
    """Exact texts by the width that plates have in pictures shrunk step by step: what more pixels
    bring, at the same detail of the scene.
    """
    groups: dict[tuple[bool, int], list[bool]] = {}
    for where, path, truth, texts in pictures(data, parts):
        if not texts:
            continue
        image = opened(where, path)
        for scale in SHRUNK:
            small, boxes = copied(image, truth, (0, 0, scale))
            reads = tuple(plates_in(*vision, Frame(small, NOW, 0)))
            for box, text in zip(boxes, texts, strict=True):
                said = best_of(reads, box, text)
                groups.setdefault((where == "us", bisect(WIDTHS_PX, box[2])), []).append(
                    said is not None and said.right
                )
    for step, (low, high) in enumerate(zip((0, *WIDTHS_PX), (*WIDTHS_PX, None), strict=True)):
        us, others = (
            percent(share(sum(rights), len(rights)))
            if (rights := groups.get((us, step)))
            else "none"
            for us in (True, False)
        )
        print(f"| {f'{low}–{high} px' if high else f'from {low} px'} | {us} | {others} |")


def print_texts(seen: list[Seen]) -> None:
    """Exact texts, folded, by region, by the plate's width and by its light."""
    groups: dict[str, list[bool]] = {}
    said: list[Said] = []
    for one in seen:
        for box, text, level, dark in zip(one.truth, one.texts, one.levels, one.dark, strict=False):
            best = best_of(one.reads, box, text)
            right = best is not None and best.right
            if best is not None:
                said.append(best)
            width = "under 80 px" if box[2] < 80 else "80–120 px" if box[2] < 120 else "over 120 px"
            light = "middling" if level < 150 else "bright (grey over 150)"
            if level < 60:
                light = "dark (grey under 60)"
            polarity = polarity_of(dark=dark)
            for name in (
                one.where,
                f"{one.where}, {width}",
                f"{one.where}, {light}",
                f"{one.where}, {polarity}",
                polarity,
            ):
                groups.setdefault(name, []).append(right)
    print_groups(groups)
    sure = [one.right for one in said if one.confidence >= SURE]
    print(
        f"says {SURE} and more for {len(sure) / len(said):.1%} of what was found, "
        f"wrong {percent(share(sure.count(False), len(sure)))}; calibration error "
        f"{error_of(said):.3f}, {error_of([one for one in said if not one.limited]):.3f} without "
        f"the {sum(one.limited for one in said)} that have a limit"
    )


def error_of(said: Sequence[Said]) -> float:
    """Expected calibration error, in bins of equal width."""
    return expected_error(
        equal_width([one.confidence for one in said], [one.right for one in said])
    )


def percent(figure: Figure) -> str:
    """A share with its interval."""
    return f"{figure.value:.1%} ({figure.low:.1%}–{figure.high:.1%})"


def print_boxes(seen: list[Seen]) -> None:
    """Recall at two overlaps, and false boxes a picture, set by set."""
    for where in dict.fromkeys(one.where for one in seen):
        members = [one for one in seen if one.where == where]
        best = [
            max((overlap(read.box.box, truth) for read in one.reads), default=0.0)
            for one in members
            for truth in one.truth
        ]
        false = sum(
            max((overlap(read.box.box, truth) for truth in one.truth), default=0.0) < FALSE_BELOW
            for one in members
            for read in one.reads
        )
        sure = sum(
            read.confidence >= SURE for one in members if not one.truth for read in one.reads
        )
        recall = (
            "".join(
                f"  recall at {iou}: {percent(share(sum(b >= iou for b in best), len(best)))}"
                for iou in (0.3, 0.5)
            )
            if best
            else f"  read as sure: {sure}"
        )
        print(
            f"{where:6} {len(members):4d} pictures{recall}  false boxes a picture: "
            f"{false / len(members):.3f}"
        )


def print_regions(seen: list[Seen]) -> None:
    """How often the region is told, and how often it is wrong then (eu and uk are one here)."""
    for where in ("us", "eu", "br"):
        told = [
            read.region
            for one in seen
            if one.where == where
            for read in one.reads
            if any(overlap(read.box.box, t) >= 0.3 for t in one.truth)
        ]
        said = [region for region in told if region != "unknown"]
        wrong = sum(region != where and {region, where} != {"eu", "uk"} for region in said)
        print(f"region {where}: told for {len(said)} of {len(told)} plates, wrong {wrong}")


def print_cuttings(
    vision: tuple[PlateDetector, PlateReader], folder: Path, parts: Sequence[Part]
) -> None:
    """Exact texts on pictures that are one plate from edge to edge; what is said surely there."""
    groups: dict[str, list[bool]] = {"cuttings": []}
    sure: list[bool] = []
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        for name, _state, text in csv.reader(file):
            image = cv2.imread(str(folder / name))
            if image is None or part_of_file(folder / name) not in parts:
                continue
            reads = plates_in(*vision, Frame(image, NOW, 0))
            best = max(reads, key=lambda read: read.confidence, default=None)
            right = best is not None and plain(best.text.value, fold=True) == plain(text, fold=True)
            for group in ("cuttings", f"cuttings, {polarity_of(dark=light_on_dark(image))}"):
                groups.setdefault(group, []).append(right)
            if best is not None and best.confidence >= SURE:
                sure.append(right)
    print_groups(groups)
    print(
        f"cuttings: says {SURE} and more for {len(sure) / max(1, len(groups['cuttings'])):.1%}, "
        f"wrong {percent(share(sure.count(False), len(sure)))}"
    )


def polarity_of(*, dark: bool) -> str:
    """In words."""
    return "light on dark" if dark else "dark on light"


def print_groups(groups: dict[str, list[bool]]) -> None:
    """Exact texts, group by group."""
    for name, rights in sorted(groups.items()):
        print(
            f"exact, folded: {name:28} {percent(share(sum(rights), len(rights)))} of {len(rights)}"
        )


def print_signs(vision: tuple[PlateDetector, PlateReader]) -> None:
    """Newly drawn signs, badges and overlays: how many are read with confidence, found by the line
    and thrust upon the reader.
    """
    rng, files = np.random.default_rng(SIGNS_SEED), fonts()
    found = thrust = 0
    for _ in range(SIGNS):
        sign = render_sign(rng, files)
        height, width = sign.shape[:2]
        street = np.full((384, 640, 3), rng.uniform(30, 220), np.uint8)
        scale = rng.uniform(60, 200) / width
        small = cv2.resize(
            sign, None, fx=scale, fy=min(scale, 300 / height), interpolation=cv2.INTER_AREA
        )
        high, wide = small.shape[:2]
        x, y = int(rng.integers(0, 640 - wide)), int(rng.integers(0, 384 - high))
        cover = (
            small[:, :, 3:].astype(np.float32) / 255
            if small.shape[2] == 4
            else np.ones((high, wide, 1), np.float32)
        )
        part = street[y : y + high, x : x + wide]
        part[:] = (small[:, :, :3] * cover + part * (1 - cover)).astype(np.uint8)
        frame = Frame(street, NOW, 0)
        found += any(read.confidence >= SURE for read in plates_in(*vision, frame))
        corners = ((x, y), (x + wide, y), (x + wide, y + high), (x, y + high))
        thrust += (
            vision[1].read(frame, PlateBox((x, y, wide, high), corners, 1.0)).confidence >= SURE
        )
    print(
        f"drawn signs read as sure: {percent(share(found, SIGNS))} by the line, "
        f"{percent(share(thrust, SIGNS))} by the reader alone"
    )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    parser.add_argument(
        "--copies",
        type=int,
        choices=range(1, len(COPIES) + 1),
        default=1,
        help="of each picture with texts (1); intervals are then too narrow",
    )
    parser.add_argument(
        "--shrunk", action="store_true", help="only the table by width, of shrunk pictures"
    )
    parser.add_argument(
        "--part",
        choices=(*PARTS, "both"),
        default="tune",
        help="of the photographs with texts; test is for what was chosen already (tune)",
    )
    given = parser.parse_args()
    parts = PARTS if given.part == "both" else (given.part,)
    vision = load_vision(1, given.models)
    print(f"photographs with texts: {given.part}")
    if given.shrunk:
        print_shrunk(vision, given.data, parts)
        return
    print(
        "frames without a plate: "
        f"{PLATE_FREE.name}, SHA-256 {hashlib.sha256(PLATE_FREE.read_bytes()).hexdigest()}"
    )
    seen = see(vision, given.data, given.copies, parts)
    print_boxes(seen)
    print_texts(seen)
    print_regions(seen)
    print_cuttings(vision, given.data / "us_crops_dev", parts)
    print_signs(vision)


if __name__ == "__main__":
    main()
