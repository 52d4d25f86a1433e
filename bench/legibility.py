"""How much may be told before one in a hundred is wrong: coverage against error, ours beside other
people's models. docs/ref/bench.md.

    python -m bench.legibility [--scenes 300] [--seed 2] [--benchmark DIR [--part tune|test]]
    [--peers DIR] [--models DIR] [--out PNG] [--json]

Every system sees the same plates: whole, cut, hidden, mirrored, and too blurred or too small to be
read. Prints numbers only, never a text or a file name.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.bulk.reader import PeerFiles, open_peers
from agent.core.reading.sighting import Image
from agent.errors import PlatewardenError
from agent.vision.model_loader import load_vision
from bench import limits, systems
from bench.limits import Told, Vision
from bench.spoilt_plates import Spoilt
from models.training import fonts
from models.training.render.syntax import font_names

ERRORS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1)  # of what is told
# Of a plate's height, standard deviation: strokes of a tenth of it run into each other.
DEFOCUS = (0.06, 0.12)
FAR_PX = (22, 38)  # wide, and enlarged again


@dataclass(frozen=True, slots=True)
class Point:
    """What telling everything from `confidence` on brings. `coverage`: told rightly, of the whole
    plates. `error`: wrong, of all that is told, whatever stands before the plate.
    """

    confidence: float
    coverage: float
    error: float


def illegible(spoilt: Spoilt, number: int) -> Iterator[Spoilt]:
    """A whole plate out of focus, and one from so far away that its strokes are gone."""
    rng = np.random.default_rng([number, 7])
    low, high = spoilt.corners.min(axis=0), spoilt.corners.max(axis=0)
    wide, tall = (float(side) for side in high - low)
    blurred = cv2.GaussianBlur(spoilt.image, (0, 0), max(0.5, tall * rng.uniform(*DEFOCUS)))
    yield replace(spoilt, how="blurred", image=np.asarray(blurred, np.uint8))
    yield replace(spoilt, how="far", image=from_afar(spoilt.image, rng.uniform(*FAR_PX) / wide))


def from_afar(image: Image, scale: float) -> Image:
    """Shrunk, and as large as before."""
    height, width = image.shape[:2]
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    shrunk = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(shrunk, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)


def told_of(vision: Vision, pictures: Iterator[tuple[Spoilt, str]]) -> tuple[list[Told], int]:
    """The surest read of each plate that was read at all, and how many whole plates there were."""
    seen, whole = list[Told](), 0
    for number, (picture, text) in enumerate(pictures):
        shown = [picture]
        if picture.how == "whole":
            whole += 1
            shown += illegible(picture, number)
        for spoilt in shown:
            reads = [one for one in limits.told(vision, spoilt, text) if one.confidence > 0]
            if reads:
                seen.append(max(reads, key=lambda one: one.confidence))
    return seen, whole


def curve(seen: Sequence[Told], whole: int) -> list[Point]:
    """A point for every confidence that was said, the surest first."""
    points, right, wrong = list[Point](), 0, 0
    ranked = sorted(seen, key=lambda one: -one.confidence)
    for place, one in enumerate(ranked):
        wrong += not one.right
        right += one.right and one.how == "whole"
        if place + 1 == len(ranked) or ranked[place + 1].confidence < one.confidence:
            points.append(Point(one.confidence, right / max(1, whole), wrong / (place + 1)))
    return points


def coverage_at(points: Sequence[Point], error: float) -> float:
    """The most that may be told with no more than that error, 0–1."""
    return max((point.coverage for point in points if point.error <= error), default=0.0)


def compared(options: argparse.Namespace) -> dict[str, tuple[list[Told], int]]:
    """By system. Raises ModelError, ConfigError, UsageError."""
    visions: dict[str, Vision] = {"ours": load_vision(1, options.models)}
    for peer in systems.in_folder(options.peers) if options.peers else ():
        detector, recognizer, config = (
            Path(part) if part else None for part in (peer.detector, peer.recognizer, peer.config)
        )
        visions[peer.name] = open_peers(1, None, PeerFiles(detector, recognizer, config))
    bar = Console(stderr=True)
    return {
        name: told_of(
            vision,
            iter(with_progress(limits.pictures_of(options), name, console=bar, transient=True)),
        )
        for name, vision in visions.items()
    }


def draw(curves: dict[str, list[Point]], path: Path) -> None:
    """Coverage against error, a line for each system."""
    # loaded here: without --out nobody needs it
    from bench.plots import COLOURS, plt  # noqa: PLC0415

    figure, axes = plt.subplots(figsize=(7, 5), layout="constrained")
    for (name, points), colour in zip(curves.items(), COLOURS, strict=False):
        axes.plot(
            [100 * point.error for point in points],
            [100 * point.coverage for point in points],
            color=colour,
            label=name,
        )
    axes.set(xlim=(0, 30), ylim=(0, 100))
    axes.set(xlabel="wrong, % of what is told", ylabel="told rightly, % of the whole plates")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def table(curves: dict[str, list[Point]]) -> Table:
    """A row an error rate, a column a system."""
    shown = Table("wrong, at most", *curves, title="whole plates told rightly")
    for error in ERRORS:
        told = (f"{coverage_at(points, error):.1%}" for points in curves.values())
        shown.add_row(f"{error:.1%}", *told)
    return shown


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.legibility", description=(__doc__ or "").partition("\n\n")[0]
    )
    limits.choices(parser)
    parser.add_argument("--peers", type=Path, metavar="DIR", help="other people's models")
    parser.add_argument("--out", type=Path, metavar="PNG", help="the curves as a picture")
    return limits.sensible(parser, arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Spoil, read, rank, print."""
    options = parse(arguments)
    fonts.tell(font_names())
    cv2.setNumThreads(1)
    try:
        found = compared(options)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    curves = {name: curve(*one) for name, one in found.items()}
    if options.out:
        draw(curves, options.out)
    if options.json:
        print(
            json.dumps(
                {
                    name: {str(error): round(coverage_at(points, error), 4) for error in ERRORS}
                    for name, points in curves.items()
                },
                indent=1,
            )
        )
    else:
        Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(table(curves))


if __name__ == "__main__":
    main()
