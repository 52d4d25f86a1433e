"""What the parts cost on this machine, and how our models do beside other people's over a benchmark
folder: `make bench`, docs/ref/bench.md.
"""

import argparse
import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress

from agent.errors import PlatewardenError, UsageError
from bench.lockstep import Round, one_round
from bench.parts import Part, measure_parts
from bench.report import Comparison, print_comparison, print_part, to_json
from bench.scoring import TrueImage, load_benchmark
from bench.summary import compare, cpu_ms, summarise
from bench.systems import OURS, System, in_folder, named, weights_bytes

WIDE = 160  # columns, where the tables go to no terminal


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--benchmark",
        type=Path,
        metavar="DIR",
        help="REGION/NAME.txt and pictures; else $PLATEWARDEN_PLATES/benchmark_dev",
    )
    parser.add_argument(
        "--peers",
        type=Path,
        metavar="DIR",
        help="other people's detectors and recognisers, each pair is measured; "
        "else $PLATEWARDEN_PEERS",
    )
    parser.add_argument(
        "--models",
        type=Path,
        metavar="DIR",
        action="append",
        default=[],
        help="models of ours in another folder, as a system of their own",
    )
    parser.add_argument(
        "--detector",
        type=Path,
        metavar="ONNX",
        help="as for `platewarden read`, as a system of its own",
    )
    parser.add_argument("--recognizer", type=Path, metavar="ONNX", help="likewise")
    parser.add_argument("--recognizer-config", type=Path, metavar="YAML", help="likewise")
    parser.add_argument(
        "--rounds",
        type=int,
        default=2,
        metavar="N",
        help="fresh processes for each system, over all pictures (2)",
    )
    parser.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help="at most so many pictures a region, evenly spread: a quick look",
    )
    parser.add_argument(
        "--part-rounds",
        type=int,
        default=100,
        metavar="N",
        help="rounds for each part (100); 0: leave the parts out",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench/out"),
        metavar="DIR",
        help="for results.json and bench.png (bench/out)",
    )
    parser.add_argument(
        "--json", action="store_true", help="the results on standard output, instead of tables"
    )
    options = parser.parse_args(arguments)
    if options.rounds < 1 or (options.limit is not None and options.limit < 1):
        parser.error("--rounds and --limit start at 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Parts, then the comparison where there is something to compare over."""
    options = parse(arguments)
    console = Console(
        highlight=False,
        markup=False,
        quiet=options.json,
        width=None if sys.stdout.isatty() else WIDE,
    )
    try:
        run(options, console)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


def run(options: argparse.Namespace, console: Console) -> None:
    """Raises PlatewardenError."""
    benchmark = chosen(
        options.benchmark, "--benchmark", "PLATEWARDEN_PLATES", "../shared/plates", "benchmark_dev"
    )
    systems = choose_systems(options)
    parts = run_parts(options.part_rounds, console)
    comparison = drawn = None
    if benchmark is None:
        print(
            "bench: no benchmark folder, so nothing was compared; "
            "name one with --benchmark DIR (make bench BENCHMARK=DIR)",
            file=sys.stderr,
        )
    else:
        images = load_benchmark(benchmark, options.limit)
        measured = measure(systems, images, options.rounds)
        names = [system.name for system in systems]
        summaries = [
            summarise(system.name, images, rounds, weights_bytes(system))
            for system, rounds in zip(systems, measured, strict=True)
        ]
        comparison = Comparison(
            len(images),
            sum(len(image.plates) for image in images),
            options.rounds,
            summaries,
            compare(names, measured),
        )
        print_comparison(console, comparison)
        drawn = {name: cpu_ms(rounds) for name, rounds in zip(names, measured, strict=True)}
    text = to_json(parts, comparison)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "results.json").write_text(text + "\n", encoding="utf-8")
    console.print(f"written: {options.out / 'results.json'}")
    if comparison:
        plot(comparison, drawn, options.out, console)
    if options.json:
        print(text)


def chosen(
    given: Path | None, option: str, variable: str, otherwise: str, below: str = ""
) -> Path | None:
    """The folder named by the option; else by the environment, or its usual place, where that
    exists.

    Raises UsageError.
    """
    if given is not None:
        if not given.is_dir():
            raise UsageError("no such folder", where=f"{option} {given}", fix="check the path")
        return given
    usual = Path(os.environ.get(variable, otherwise)) / below
    return usual if usual.is_dir() else None


def choose_systems(options: argparse.Namespace) -> list[System]:
    """Ours first. Raises UsageError."""
    systems = [
        OURS,
        *(System(f"ours in {folder}", models=str(folder.resolve())) for folder in options.models),
    ]
    peers = chosen(options.peers, "--peers", "PLATEWARDEN_PEERS", "../shared/peers")
    found = in_folder(peers) if peers else []
    if options.peers and not found:
        raise UsageError(
            "no pair of detector and recogniser",
            where=options.peers,
            fix="put DETECTOR.onnx, NAME.onnx and NAME_plate_config.yaml there",
        )
    systems += found
    if options.recognizer_config and not options.recognizer:
        raise UsageError(
            "there is no recogniser that it could describe",
            where="--recognizer-config",
            fix="add --recognizer",
        )
    if options.detector or options.recognizer:
        systems.append(named(options.detector, options.recognizer, options.recognizer_config))
    return systems


def run_parts(rounds: int, console: Console) -> list[Part]:
    """The parts' times, printed as they come."""
    if not rounds:
        return []
    console.print(
        f"{platform.machine()}, Python {platform.python_version()}, {rounds} rounds, one thread, "
        "ms: median, 95th percentile"
    )
    parts = []
    for part in measure_parts(rounds):
        print_part(console, part)
        parts.append(part)
    return parts


def measure(
    systems: Sequence[System], images: Sequence[TrueImage], rounds: int
) -> list[list[Round]]:
    """All rounds of each system."""
    with progress(len(images) * rounds) as advance:
        done = [one_round(systems, images, advance) for _ in range(rounds)]
    return [[one[number] for one in done] for number in range(len(systems))]


@contextmanager
def progress(total: int) -> Iterator[Callable[[], None]]:
    """A bar on stderr where that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    with Progress(
        *Progress.get_default_columns(),
        MofNCompleteColumn(),
        console=Console(stderr=True),
        transient=True,
        redirect_stdout=False,
    ) as bar:
        task = bar.add_task("measuring", total=total)
        yield lambda: bar.advance(task)


def plot(comparison: Comparison, drawn: dict, out: Path, console: Console) -> None:
    """The picture, if matplotlib is there."""
    try:
        from bench.plots import draw  # noqa: PLC0415 - matplotlib is an extra, and slow to import
    except ModuleNotFoundError as error:
        print(
            f"bench: no plot: {error.name} is not installed; pip install 'platewarden[bench]'",
            file=sys.stderr,
        )
        return
    console.print(f"written: {draw(comparison, drawn, out)}")


if __name__ == "__main__":
    main()
