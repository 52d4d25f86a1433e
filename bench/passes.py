"""What voting over frames brings: exact match against the number of frames, on rendered passes
through our reader. docs/design/voting.md.

    python -m bench.passes [--passes 300] [--seed 2] [--models DIR] [--json] [--out DIR]

Three ways to read a car from the same frames: its surest read, the text that most reads have, and
the camera's vote. The frames are drawn in two ways: from all over the pass (few frames a second),
and one after the other (many a second, of nearly one size: harder, since their errors agree).
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure as Picture
from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.core.reading.sighting import PlateRead, Track
from agent.core.reading.voting import vote
from agent.errors import PlatewardenError
from agent.vision.model_loader import load_vision
from agent.vision.models import model_entry
from bench.calibration import equal_width, expected_error
from bench.intervals import Figure, mean, share
from bench.pass_frames import FRAMES, passes
from models.training import fonts
from models.training.render.syntax import font_names

NUMBERS = (1, 2, 3, 5, 8, 12)
FEW = 5  # frames of the vote that is looked at more closely
SURE = 0.9
TUNED_ON = 1  # the seed on which the vote's constants were chosen; report on another

Answer = tuple[str, float]
Reads = Sequence[PlateRead]


@dataclass(frozen=True, slots=True)
class ReadPass:
    """All reads of one pass, in order of time, and what they should have been.

    Rendered: nobody's plate.
    """

    text: str
    reads: tuple[PlateRead, ...]


@dataclass(frozen=True, slots=True)
class Closer:
    """Of one way to draw five frames.

    `single`: exact share of each of them alone; `removed`, `removed_of_surest`: share of the errors
    of a single one, and of the surest one, that the vote removes; the others: the vote's
    calibration.
    """

    single: Figure
    removed: Figure
    removed_of_surest: Figure
    calibration_error: float
    sure: Figure
    wrong_when_sure: Figure


@dataclass(frozen=True, slots=True)
class Result:
    """`curves`: by draw and way, exact share by number of frames."""

    recognizer_sha256: str
    seed: int
    passes: int
    curves: dict[str, dict[str, list[Figure]]]
    closer: dict[str, Closer]


def surest(reads: Reads) -> Answer:
    """The single read with the highest confidence."""
    best = max(reads, key=lambda read: read.confidence)
    return best.text.value, best.confidence


def majority(reads: Reads) -> Answer:
    """The text that most reads have; of several, the one with the surest read."""
    counts = Counter(read.text.value for read in reads)
    best = max(reads, key=lambda read: (counts[read.text.value], read.confidence))
    return best.text.value, counts[best.text.value] / len(reads)


def voted(reads: Reads) -> Answer:
    """What the camera would report."""
    found = vote(Track(1, tuple(reads)), "bench")
    return found.text.value, found.confidence


WAYS: dict[str, Callable[[Reads], Answer]] = {
    "surest frame": surest,
    "majority": majority,
    "vote": voted,
}


def all_over(chance: random.Random, count: int) -> list[int]:
    """Any frames of the pass, in order."""
    return sorted(chance.sample(range(FRAMES), count))


def in_a_row(chance: random.Random, count: int) -> list[int]:
    """Frames that follow one another."""
    start = chance.randint(0, FRAMES - count)
    return list(range(start, start + count))


DRAWS: dict[str, Callable[[random.Random, int], list[int]]] = {
    "all over the pass": all_over,
    "in a row": in_a_row,
}


def measure(done: Sequence[ReadPass], seed: int, sha256: str) -> Result:
    """Every way, over the same frames."""
    curves: dict[str, dict[str, list[Figure]]] = {}
    closer: dict[str, Closer] = {}
    for draw, chosen in DRAWS.items():
        curves[draw] = {way: [] for way in WAYS}
        for count in NUMBERS:
            chance = random.Random(f"{seed} {draw} {count}")
            seen = [[one.reads[place] for place in chosen(chance, count)] for one in done]
            answers = {way: [answer(reads) for reads in seen] for way, answer in WAYS.items()}
            for way in WAYS:
                curves[draw][way].append(share(sum(right(done, answers[way])), len(done)))
            if count == FEW:
                closer[draw] = look_closer(done, seen, answers)
    return Result(sha256, seed, len(done), curves, closer)


def right(done: Sequence[ReadPass], answers: Sequence[Answer]) -> list[bool]:
    """For each pass, whether the whole text is exact."""
    return [text == one.text for one, (text, _) in zip(done, answers, strict=True)]


def look_closer(
    done: Sequence[ReadPass], seen: Sequence[Reads], answers: dict[str, list[Answer]]
) -> Closer:
    """The vote beside the frames that it was made of."""
    alone = [
        sum(read.text.value == one.text for read in reads) / len(reads)
        for one, reads in zip(done, seen, strict=True)
    ]
    vote_right, surest_right = right(done, answers["vote"]), right(done, answers["surest frame"])
    said = [confidence for _, confidence in answers["vote"]]
    sure = [
        correct for correct, confidence in zip(vote_right, said, strict=True) if confidence >= SURE
    ]
    return Closer(
        single=mean(alone),
        removed=removed(alone, vote_right),
        removed_of_surest=removed(surest_right, vote_right),
        calibration_error=expected_error(equal_width(said, vote_right)),
        sure=share(len(sure), len(done)),
        wrong_when_sure=share(len(sure) - sum(sure), len(sure)),
    )


def removed(before: Sequence[float], after: Sequence[float]) -> Figure:
    """Which share of the errors is gone, below 0 where there are more; passes are drawn anew in
    pairs for the interval (bootstrap).
    """
    wrong = 1 - np.array([before, after], float)
    drawn = np.random.default_rng(1).integers(0, wrong.shape[1], (2000, wrong.shape[1]))
    first, second = wrong[0][drawn].sum(axis=1), wrong[1][drawn].sum(axis=1)
    low, high = np.percentile(1 - second / np.maximum(first, 1), [2.5, 97.5])
    return Figure(
        float(1 - wrong[1].sum() / max(wrong[0].sum(), 1e-9)),
        float(low),
        float(high),
        wrong.shape[1],
    )


def read_passes(count: int, seed: int, models: Path | None, console: Console) -> list[ReadPass]:
    """Renders the passes and reads every frame of them. Raises ModelError."""
    _, reader = load_vision(1, models)
    cv2.setNumThreads(1)
    shown = with_progress(
        passes(count, seed),
        total=count,
        description="passes",
        console=console,
        disable=not console.is_terminal,
    )
    return [
        ReadPass(one.text, tuple(reader.read(frame, box) for frame, box in one.frames))
        for one in shown
    ]


def table(draw: str, result: Result) -> Table:
    """Exact share in per cent, with its interval, by number of frames."""
    rows = Table(title=f"exact, %, frames {draw} ({result.passes} passes, seed {result.seed})")
    for heading in ("frames", *map(str, NUMBERS)):
        rows.add_column(heading)
    for way, figures in result.curves[draw].items():
        rows.add_row(
            way,
            *(
                f"{100 * one.value:.1f} ({100 * one.low:.0f}-{100 * one.high:.0f})"
                for one in figures
            ),
        )
    return rows


def sentences(draw: str, closer: Closer) -> str:
    """The closer look, in words."""
    gone, gone_of_surest = closer.removed, closer.removed_of_surest
    return (
        f"five frames {draw}: one alone {100 * closer.single.value:.1f} % exact; "
        f"the vote removes {gone.value:.0%} ({gone.low:.0%} to {gone.high:.0%}) of its errors, "
        f"{gone_of_surest.value:.0%} ({gone_of_surest.low:.0%} to {gone_of_surest.high:.0%}) "
        f"of the surest frame's; calibration error {closer.calibration_error:.3f}; sure ({SURE}) "
        f"of {closer.sure.value:.0%}, wrong in {100 * closer.wrong_when_sure.value:.1f} % of these"
    )


def plot(result: Result, target: Path) -> None:
    """The curves as a picture."""
    picture = Picture(figsize=(10, 4.2), layout="constrained")
    for number, draw in enumerate(DRAWS):
        axes = picture.add_subplot(1, len(DRAWS), number + 1)
        for way, figures in result.curves[draw].items():
            (line,) = axes.plot(
                NUMBERS, [100 * one.value for one in figures], marker="o", label=way
            )
            axes.fill_between(
                NUMBERS,
                [100 * one.low for one in figures],
                [100 * one.high for one in figures],
                alpha=0.15,
                color=line.get_color(),
            )
        axes.set(title=f"frames {draw}", xlabel="frames", ylabel="exact, %", xticks=NUMBERS)
        axes.grid(visible=True, alpha=0.3)
        axes.legend(loc="lower right")
    picture.suptitle(
        f"{result.passes} rendered passes, seed {result.seed}, "
        f"recogniser {result.recognizer_sha256[:12]}; bands: 95 %"
    )
    picture.savefig(target, dpi=120)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.passes", description=(__doc__ or "").partition("\n\n")[0]
    )
    parser.add_argument(
        "--passes", type=int, default=300, metavar="N", help=f"cars, of {FRAMES} frames each (300)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=2,
        help=f"of the rendering (2); the vote was tuned on {TUNED_ON}",
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help="models in another folder")
    parser.add_argument(
        "--json", action="store_true", help="the result on standard output, instead of tables"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("bench/out"),
        metavar="DIR",
        help="for passes.json and passes.png (bench/out)",
    )
    options = parser.parse_args(arguments)
    if options.passes < 1:
        parser.error("--passes starts at 1")
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Render, read, measure, print, plot."""
    options = parse(arguments)
    fonts.tell(font_names())
    try:
        done = read_passes(options.passes, options.seed, options.models, Console(stderr=True))
        result = measure(done, options.seed, model_entry("recognizer", options.models).sha256)
    except PlatewardenError as error:
        print(f"bench: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    text = json.dumps(asdict(result), indent=1)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "passes.json").write_text(text + "\n", encoding="utf-8")
    plot(result, options.out / "passes.png")
    if options.json:
        print(text)
        return
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else 120)
    for draw in DRAWS:
        console.print(table(draw, result))
    for draw, closer in result.closer.items():
        console.print(sentences(draw, closer))


if __name__ == "__main__":
    main()
