"""What plates are hard to read for: rendered scenes by cause through the whole line, and the same
plates given to the reader alone.

    python -m bench.causes [--scenes 200] [--seed 1] [--models DIR]... [--cause NAME]... [--json]

The scenes are drawn, so a figure says how two sets of weights differ, not how well a camera will
read. Of a cut plate no text is the whole one: there, what counts is how seldom it is told surely.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.core.reading.overlap import overlap
from agent.core.reading.sighting import PlateRead
from agent.errors import PlatewardenError
from agent.pipeline import plates_in
from agent.ports import PlateDetector, PlateReader
from agent.vision.model_loader import load_vision
from bench.cause_frames import CAUSES, Cause, Scene, scenes
from bench.intervals import Figure, share
from bench.scoring import SURE, plain
from models.training import fonts
from models.training.render.syntax import font_names

FOUND = 0.3  # overlap of the boxes

Vision = tuple[PlateDetector, PlateReader]


@dataclass(frozen=True, slots=True)
class Result:
    """Of one cause. Shares of all its scenes; `wrong`: of what was said surely; `rest`: of what was
    not read right, how much was said surely.

    `reader`: exact where the reader is given the plate's true corners.
    """

    cause: str
    found: Figure
    exact: Figure
    sure: Figure
    wrong: Figure
    rest: Figure
    reader: Figure


def right(read: PlateRead | None, scene: Scene) -> bool:
    """The whole text, with O and Q as 0 and I as 1."""
    return read is not None and plain(read.text.value, fold=True) == plain(scene.text, fold=True)


def best_at(reads: Sequence[PlateRead], scene: Scene) -> PlateRead | None:
    """What was read on the plate."""
    best = max(reads, key=lambda read: overlap(read.box.box, scene.box), default=None)
    return best if best is not None and overlap(best.box.box, scene.box) >= FOUND else None


def measure(vision: Vision, cause: Cause, drawn: Sequence[Scene]) -> Result:
    """One cause. What is told surely of a cut plate is wrong, whatever it says."""
    reads = [best_at(plates_in(*vision, scene.frame), scene) for scene in drawn]
    alone = [vision[1].read(scene.frame, scene.plate) for scene in drawn]
    hits = [right(read, scene) for read, scene in zip(reads, drawn, strict=True)]
    sure = [
        hit and not cause.cut
        for hit, read in zip(hits, reads, strict=True)
        if read is not None and read.confidence >= SURE
    ]
    count, right_ones = len(drawn), 0 if cause.cut else sum(hits)
    return Result(
        cause.name,
        share(sum(read is not None for read in reads), count),
        share(sum(hits), count),
        share(len(sure), count),
        share(sure.count(False), len(sure)),
        share(sure.count(False), count - right_ones),
        share(sum(right(read, scene) for read, scene in zip(alone, drawn, strict=True)), count),
    )


def table_of(name: str, results: Sequence[Result]) -> Table:
    """A row per cause."""
    table = Table(title=f"{name}: % of {results[0].found.of} scenes (95 % interval)")
    columns = (
        "found",
        "exact",
        "said surely",
        "of these wrong",
        "of the rest sure",
        "reader alone",
    )
    for column in ("cause", *columns):
        table.add_column(column, justify="left" if column == "cause" else "right")
    for one in results:
        figures = (one.found, one.exact, one.sure, one.wrong, one.rest, one.reader)
        table.add_row(one.cause, *(spelt(figure) for figure in figures))
    return table


def spelt(figure: Figure) -> str:
    """In per cent."""
    if not figure.of:
        return "–"
    return f"{100 * figure.value:.1f} ({100 * figure.low:.0f}–{100 * figure.high:.0f})"


def chosen(names: Sequence[str]) -> list[Cause]:
    """Those causes, or all. Raises SystemExit for one that there is not."""
    known = {cause.name: cause for cause in CAUSES}
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"no cause {unknown[0]!r}: choose of {', '.join(known)}"
        raise SystemExit(message)
    return [known[name] for name in names] or list(CAUSES)


def asked(arguments: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--scenes", type=int, default=200, help="of each cause")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--models", type=Path, action="append", help="a folder with a manifest, beside the shipped"
    )
    parser.add_argument("--cause", action="append", default=[], help="only this one")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    """Render, read, print."""
    given, console = asked(arguments), Console(stderr=True)
    fonts.tell(font_names())
    causes = chosen(given.cause)
    try:
        systems = {"shipped": load_vision(1)} | {
            str(folder): load_vision(1, folder) for folder in given.models or ()
        }
    except PlatewardenError as error:
        console.print(str(error))
        raise SystemExit(1) from None
    cv2.setNumThreads(1)
    found: dict[str, list[Result]] = {name: [] for name in systems}
    for cause in with_progress(
        causes, description="causes", console=console, disable=not console.is_terminal
    ):
        drawn = list(scenes(cause, given.scenes, given.seed))
        for name, vision in systems.items():
            found[name].append(measure(vision, cause, drawn))
    if given.json:
        print(json.dumps({name: [asdict(one) for one in rows] for name, rows in found.items()}))
        return
    for name, results in found.items():
        Console(width=120).print(table_of(name, results))


if __name__ == "__main__":
    main(sys.argv[1:])
