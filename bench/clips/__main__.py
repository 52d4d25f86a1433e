"""Plays clips to our line, and holds what it tells against the truth. docs/ref/clips.md.

python -m bench.clips [--scene NAME]… [--all] [--seed N] [--clips N] [--json] [--write DIR]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.errors import PlatewardenError
from agent.vision.model_loader import load_vision
from bench.clips.catalogue import LONG, SCENES
from bench.clips.scenes.next_car import PAIRS
from bench.clips.score import Score, percentile, score
from bench.clips.telling import told_by_our_line
from bench.clips.video import write_video
from models.training import fonts
from models.training.render.syntax import font_names

WIDE = 150  # columns, where the table goes to no terminal
COLUMNS = (
    "passes",
    "once",
    "to_the_letter",
    "duplicates",
    "missed",
    "wrong",
    "unsure",
    "credited",
    "mixed",
)
SHARES = {"median": 50, "p95": 95}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.clips", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument(
        "--scene",
        action="append",
        metavar="NAME",
        choices=SCENES,
        help="one of --list; again for more",
    )
    parser.add_argument("--list", action="store_true", help="the scenes' names, and no more")
    parser.add_argument(
        "--all", action="store_true", help=f"the long ones too: {', '.join(sorted(LONG))}"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the first clip (1)")
    parser.add_argument(
        "--clips",
        type=int,
        metavar="N",
        help=f"of each scene, with the seeds after it (1; next-car: {PAIRS})",
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="models in another folder")
    parser.add_argument("--json", action="store_true", help="the figures, instead of a table")
    parser.add_argument(
        "--write", type=Path, metavar="DIR", help="write the clips there as videos; judge nothing"
    )
    options = parser.parse_args(arguments)
    if options.clips is not None and options.clips < 1:
        parser.error("--clips starts at 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Draw, play, judge, print."""
    options = parse(arguments)
    if options.list:
        print("\n".join(SCENES))
        return
    fonts.tell(font_names())
    names = options.scene or [name for name in SCENES if options.all or name not in LONG]
    try:
        if options.write:
            write(names, options)
            return
        scores = judged(names, options)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if options.json:
        print(json.dumps({name: figures(one) for name, one in scores.items()}, indent=1))
    else:
        show(scores)


def seeds(name: str, options: argparse.Namespace) -> range:
    """Of one scene."""
    count = options.clips or (PAIRS if name == "next-car" else 1)
    return range(options.seed, options.seed + count)


def judged(names: Sequence[str], options: argparse.Namespace) -> dict[str, Score]:
    """Every scene's score. Raises ModelError."""
    detector, reader = load_vision(1, options.models)
    console = Console(stderr=True)
    clips = [(name, seed) for name in names for seed in seeds(name, options)]
    scores = dict.fromkeys(names, Score())
    for name, seed in with_progress(
        clips, description="clips", console=console, disable=not console.is_terminal
    ):
        clip = SCENES[name](seed)
        scores[name] += score(clip, told_by_our_line(clip, detector, reader))
    return scores


def write(names: Sequence[str], options: argparse.Namespace) -> None:
    """Videos named after scene and seed, never after a plate."""
    options.write.mkdir(parents=True, exist_ok=True)
    for name in names:
        for seed in seeds(name, options):
            print(write_video(SCENES[name](seed), options.write / f"{name}-{seed}.mp4"))


def figures(one: Score) -> dict[str, object]:
    """As JSON members: counts, and seconds to the alert."""
    counts = {name: value for name, value in asdict(one).items() if not name.endswith("_s")}
    return counts | {
        f"{name}_{word}_s": percentile(seconds, share)
        for name, seconds in (("alert", one.alerts_s), ("decision", one.decisions_s))
        for word, share in SHARES.items()
    }


def show(scores: dict[str, Score]) -> None:
    """A row a scene, and their sum."""
    table = Table("scene", *COLUMNS, "alert s", "p95", "decision s", "p95")
    total = sum(scores.values(), Score())
    for name, one in [*scores.items(), ("all", total)]:
        seconds = [value for key, value in figures(one).items() if key.endswith("_s")]
        table.add_row(
            name,
            *(str(getattr(one, column)) for column in COLUMNS),
            *("–" if value is None else f"{value:.2f}" for value in seconds),
        )
    wide = None if sys.stdout.isatty() else WIDE
    Console(highlight=False, markup=False, width=wide).print(table)


if __name__ == "__main__":
    main()
