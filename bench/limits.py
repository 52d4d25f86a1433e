"""Whether sure reads are of whole plates: plates spoilt on purpose, drawn and photographed, through
the line. docs/ref/bench.md.

    python -m bench.limits [--scenes 300] [--seed 2] [--benchmark DIR [--part tune|test]]
    [--models DIR] [--json]

Each plate is seen whole, cut by the frame's edge, cut by a mask, with something over one side, with
a post before it, and mirrored. Prints numbers only, never a text or a file name.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.camera.masked_source import ZonedDetector, masked
from agent.core.camera.view import View
from agent.core.reading.sighting import Frame, PlateRead
from agent.core.time.instant import Instant
from agent.errors import PlatewardenError
from agent.pipeline import plates_in
from agent.ports import PlateDetector, PlateReader
from agent.vision.model_loader import load_vision
from bench import spoilt_plates, street
from bench.intervals import Figure, share
from bench.scoring import SURE, load_benchmark, plain
from bench.spoilt_plates import Spoilt
from models.training import fonts
from models.training.parts import PARTS, Part, part_of_file
from models.training.render.syntax import font_names

NOW = Instant(datetime(2026, 1, 1, tzinfo=UTC))
TUNED_ON = 1  # the seed on which thresholds were chosen; report on another
TWO_ROWS = 0.08
SMALLEST_PX = 16  # of a picture that is left after cutting
CUT_OR_HIDDEN = ("edge", "mask", "hidden")

Vision = tuple[PlateDetector, PlateReader]


@dataclass(frozen=True, slots=True)
class Told:
    """What one read said of one plate: `how` it was spoilt, how surely it was told (0–1), right or
    not, and with which limits.
    """

    how: str
    confidence: float
    right: bool
    limits: tuple[str, ...]

    @property
    def sure(self) -> bool:
        return self.confidence >= SURE


@dataclass(frozen=True, slots=True)
class Row:
    """Of one way of spoiling. `wrong`: of the sure reads."""

    how: str
    reads: int
    sure: int
    sure_and_right: int
    wrong: Figure


def pictures_of(options: argparse.Namespace) -> Iterator[tuple[Spoilt, str]]:
    """Photographs where a benchmark is named, else drawn ones."""
    if options.benchmark:
        return photographed(options.benchmark, options.part, options.seed)
    return drawn(options.scenes, options.seed)


def drawn(
    scenes: int, seed: int, ways: spoilt_plates.Ways = spoilt_plates.ways
) -> Iterator[tuple[Spoilt, str]]:
    """Drawn scenes, spoilt, each with the whole plate's text."""
    for number in range(scenes):
        rng = np.random.default_rng([seed, number])
        one = street.scene(rng, rows=2 if rng.random() < TWO_ROWS else 1)
        for spoilt in ways(rng, one.image, one.corners):
            seen = street.photographed(rng, spoilt.image)
            yield Spoilt(spoilt.how, seen, spoilt.corners, spoilt.masks), one.text


def photographed(folder: Path, part: Part | None, seed: int) -> Iterator[tuple[Spoilt, str]]:
    """A benchmark's pictures, spoilt. Thresholds may be chosen on part `tune`, never on `test`.

    The parts are those on which the networks are chosen and judged (models.training.parts).
    """
    for image in load_benchmark(folder):
        if part is not None and part_of_file(image.path) != part:
            continue
        picture = cv2.imread(str(image.path))
        if picture is None:
            continue
        number = int(hashlib.sha256(image.path.name.encode()).hexdigest(), 16)
        for place, plate in enumerate(image.plates):
            rng = np.random.default_rng([seed, number % 2**32, place])
            x, y, width, height = plate.box
            corners = spoilt_plates.box(np.array([x, y]), np.array([x + width, y + height]))
            for spoilt in spoilt_plates.ways(rng, np.asarray(picture, np.uint8), corners):
                yield spoilt, plate.text


def told(vision: Vision, spoilt: Spoilt, text: str) -> Iterator[Told]:
    """Every read whose box lies on the plate."""
    if min(spoilt.image.shape[:2]) < SMALLEST_PX:
        return
    detector = ZonedDetector(vision[0], View((), spoilt.masks))
    frame = Frame(masked(spoilt.image, spoilt.masks), NOW, 0)
    for read in plates_in(detector, vision[1], frame):
        if on_plate(spoilt, read):
            yield judged(spoilt.how, read, text)


def on_plate(spoilt: Spoilt, read: PlateRead) -> bool:
    """Does the read box's middle lie on the plate?"""
    low, high = spoilt.corners.min(axis=0), spoilt.corners.max(axis=0)
    x, y, width, height = read.box.box
    middle = np.array([x + width / 2, y + height / 2])
    return bool((low <= middle).all() and (middle <= high).all())


def judged(how: str, read: PlateRead, text: str) -> Told:
    """A mirrored plate has no right reading."""
    right = how != "mirrored" and plain(read.text.value, fold=True) == plain(text, fold=True)
    return Told(how, read.confidence, right, tuple(sorted(read.limits)))


def rows(seen: Sequence[Told]) -> list[Row]:
    """A row for each way, and one for all that are cut or hidden."""
    ways = {
        how: [one for one in seen if one.how == how] for how in dict.fromkeys(o.how for o in seen)
    }
    ways["cut or hidden"] = [one for one in seen if one.how in CUT_OR_HIDDEN]
    found = []
    for how, those in ways.items():
        sure = [one.right for one in those if one.sure]
        wrong = share(sure.count(False), len(sure))
        found.append(Row(how, len(those), len(sure), sum(sure), wrong))
    return found


def table(found: Sequence[Row]) -> Table:
    """For people."""
    shown = Table("plate", "reads", f"sure (≥ {SURE})", "of these right", "of these wrong")
    for row in found:
        wrong = f"{row.wrong.value:.1%} ({row.wrong.low:.1%}–{row.wrong.high:.1%})"
        shown.add_row(
            row.how,
            str(row.reads),
            str(row.sure),
            str(row.sure_and_right),
            wrong if row.sure else "–",
        )
    return shown


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.limits", description=(__doc__ or "").partition("\n\n")[0]
    )
    choices(parser)
    return sensible(parser, arguments)


def choices(parser: argparse.ArgumentParser) -> None:
    """What is read, and with which models."""
    parser.add_argument("--scenes", type=int, default=300, metavar="N", help="drawn ones (300)")
    parser.add_argument(
        "--seed",
        type=int,
        default=2,
        help=f"of drawing and spoiling (2); thresholds were chosen on {TUNED_ON}",
    )
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="DIR",
        help="photographs instead: REGION/NAME.txt and pictures, as for python -m bench",
    )
    parser.add_argument("--part", choices=PARTS, help="half of them, by their content")
    parser.add_argument("--models", type=Path, metavar="DIR", help="models in another folder")
    parser.add_argument("--json", action="store_true", help="instead of a table")


def sensible(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None
) -> argparse.Namespace:
    """The options. Raises SystemExit for some that have no sense together."""
    options = parser.parse_args(arguments)
    if options.part and not options.benchmark:
        parser.error("--part goes with --benchmark")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Spoil, read, count, print."""
    options = parse(arguments)
    fonts.tell(font_names())
    cv2.setNumThreads(1)
    try:
        vision = load_vision(1, options.models)
        seen = [
            one
            for spoilt, text in with_progress(
                pictures_of(options), "reading", console=Console(stderr=True), transient=True
            )
            for one in told(vision, spoilt, text)
        ]
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    found = rows(seen)
    if options.json:
        print(json.dumps([asdict(row) for row in found], indent=1))
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table(found))


if __name__ == "__main__":
    main()
