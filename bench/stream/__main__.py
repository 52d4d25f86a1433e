"""What a stream of frames costs: our line beside an older build and beside other people's models on
every frame. `make bench-stream`, docs/ref/performance.md.

    python -m bench.stream [--peers DIR] [--base DIR | --no-base] [--scene NAME]… [--rounds N]
                           [--seconds S] [--no-stages] [--json]
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from agent.errors import PlatewardenError, UsageError
from bench.clips.catalogue import MOST_PLATES, Draw
from bench.clips.scenes.empty import empty
from bench.clips.scenes.parked import parked
from bench.clips.scenes.several import several
from bench.clips.scenes.traffic import traffic
from bench.stream import boards, stages
from bench.stream.builds import COMMIT, ROOT, older_build
from bench.stream.reel import write_reel
from bench.stream.report import Results, show, to_json
from bench.stream.rounds import Cost, Streamed, costs
from bench.systems import System, in_folder
from models.training import fonts
from models.training.render.syntax import font_names

WIDE = 120  # columns, where the tables go to no terminal
LEAST_S = 5.0
SCENES: dict[str, Callable[..., object]] = {
    "empty street": empty,
    "light traffic": traffic,
    "parked car": parked,
    "dense": partial(several, plates=MOST_PLATES),
}


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.stream", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="DIR",
        help="other people's detector and recogniser; else $PLATEWARDEN_PEERS",
    )
    parser.add_argument(
        "--base",
        type=Path,
        metavar="DIR",
        help=f"an older checkout; else a git worktree of {COMMIT}, for this run",
    )
    parser.add_argument("--no-base", action="store_true", help="no older build")
    parser.add_argument(
        "--scene", action="append", choices=SCENES, help="this one; again for more (all four)"
    )
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="A B A B is two (2)")
    parser.add_argument(
        "--seconds", type=float, default=30.0, metavar="S", help="of each scene (30)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the scenes (1)")
    parser.add_argument(
        "--no-stages", action="store_true", help="without instruction counts, which take minutes"
    )
    parser.add_argument("--json", action="store_true", help="the results, instead of tables")
    options = parser.parse_args(arguments)
    if options.rounds < 1 or options.seconds < LEAST_S:
        parser.error(f"--rounds starts at 1, --seconds at {LEAST_S:.0f}")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, then print."""
    options = parse(arguments)
    # SIGTERM ends it as Ctrl-C does: reels are gigabytes, and a worktree stays listed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    fonts.tell(font_names())
    try:
        results = measured(options)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    if options.json:
        print(to_json(results))
    else:
        wide = None if sys.stdout.isatty() else WIDE
        show(results, Console(highlight=False, markup=False, width=wide))


def measured(options: argparse.Namespace) -> Results:
    """Everything that was asked for. Raises PlatewardenError."""
    theirs = peers(options.peers)
    with ExitStack() as stack:
        systems = [Streamed("ours", ROOT)]
        if not options.no_base:
            base = stack.enter_context(older_build(options.base, COMMIT))
            systems.append(Streamed("base", base))
        if theirs:
            systems.append(Streamed("peers", ROOT, theirs))
        names = options.scene or list(SCENES)
        found = {name: one_scene(name, systems, options) for name in names}
    counted = {}
    if not options.no_stages:
        if stages.available():
            with progress("counting instructions", None) as step:
                counted = stages.counts(theirs, lambda _name: step())
        else:
            tell("no valgrind here, so no instructions were counted (apt-get install valgrind)")
    here = boards.detector_gmacs()
    return Results(options.rounds, options.seconds, found, counted, here, boards.estimates(here))


def peers(folder: Path | None) -> System | None:
    """The first pair of the folder; None, and a word, without one. Raises UsageError."""
    given = folder or Path(os.environ.get("PLATEWARDEN_PEERS", "../shared/peers"))
    found = in_folder(given) if given.is_dir() else []
    if not found and folder:
        raise UsageError(
            "no detector and recogniser in it", where=folder, fix="docs/ref/bench.md says what is"
        )
    if not found:
        tell("no models of other people, so none were measured (make bench-stream PEERS=DIR)")
    return found[0] if found else None


def one_scene(
    name: str, systems: Sequence[Streamed], options: argparse.Namespace
) -> dict[str, Cost]:
    """Draw it once, play it to everybody, forget it."""
    draw: Draw = partial(SCENES[name], seconds=options.seconds)
    clip = draw(options.seed)
    runs = 2 * options.rounds * len(systems)
    with (
        tempfile.TemporaryDirectory(prefix="platewarden-reel-") as folder,
        progress(name, clip.length + runs) as step,
    ):
        return costs(clip, write_reel(clip, Path(folder), step), systems, options.rounds, step)


def tell(words: str) -> None:
    """What is left out, and what to do about it."""
    print(f"bench: {words}", file=sys.stderr)


@contextmanager
def progress(name: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar on standard error; gives what to call after each step."""
    console = Console(stderr=True)
    with Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=console,
        disable=not console.is_terminal,
    ) as bar:
        task = bar.add_task(name, total=total)
        yield partial(bar.advance, task)


if __name__ == "__main__":
    main()
