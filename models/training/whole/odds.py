"""Fits how likely a text is right of whose plate something may hide a part, by what
models/wholeness.onnx says (agent/vision/whole/wholeness.py). Prints numbers only.

    python -m models.training.whole.odds [--data ../shared/plates] [--seeds 1,2,3,4] [--scenes 250]
    [--models DIR]

It belongs after every training of the network. Plates of part *tune* and drawn ones are seen whole,
and with things before them as `python -m bench.limits` draws them. Only what would be told as sure
counts: of the others their own confidence says enough. Most plates on the road are whole: one in
ten counts as hidden.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track as with_progress

from agent.vision.models import model_entry
from bench.limits import drawn, photographed
from bench.spoilt_plates import Spoilt, box, whole_and_hidden
from models.training import fonts
from models.training.logistic import regressed
from models.training.recognizer.calibrate import photographs
from models.training.render.syntax import font_names
from models.training.whole.choose import Sure, sure_reads

HIDDEN = 0.1  # of the plates on the road
DRAWN_SEED = 24


def spoilt(data: Path, seeds: Sequence[int], scenes: int) -> Iterator[tuple[Spoilt, str]]:
    """Photographs, whole in moved copies, and drawn plates, all hidden too, with their texts."""
    for _, frame, (x, y, width, height), text in photographs(data):
        corners = box(np.array([x, y]), np.array([x + width, y + height]))
        yield Spoilt("whole", frame.image, corners), text
    for seed in seeds:
        for one, text in photographed(data / "benchmark_dev", "tune", seed):
            if one.how == "hidden":
                yield one, text
    yield from drawn(scenes, DRAWN_SEED, whole_and_hidden)


def of_a_part(chances: Sequence[float]) -> float:
    """As choose.Against: that something hides a part, or that a row was left out."""
    part, _, row = chances
    return max(part, row)


def fitted(reads: Sequence[Sure], threshold: float) -> tuple[float, float]:
    """ODDS and FALL over the reads from that chance on; as many plates count as hidden as are on
    the road.
    """
    share = sum(read.how != "whole" for read in reads) / len(reads)
    counts = {True: HIDDEN / share, False: (1 - HIDDEN) / (1 - share)}
    some = [read for read in reads if read.chance >= threshold]
    chances = np.clip([read.chance for read in some], 1e-6, 1 - 1e-6)
    rows = np.stack([np.ones_like(chances), np.log1p(-chances) - np.log(chances)], 1)
    right = np.array([read.right for read in some], float)
    weights = np.array([counts[read.how != "whole"] for read in some])
    odds, fall = regressed(rows, right, weights, np.array([0.0, 1.0]))
    return float(odds), float(fall)


def main() -> None:
    """Spoil, read, fit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--seeds", default="1,2,3,4", help="of what hides the plates (1,2,3,4)")
    parser.add_argument("--scenes", type=int, default=250, help="drawn (250)")
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    fonts.require(font_names())
    seeds = [int(seed) for seed in given.seeds.split(",")]
    reads = sure_reads(spoilt(given.data, seeds, given.scenes), given.models, of_a_part)
    err = Console(stderr=True)
    kept = list(with_progress(reads, "reading", console=err, transient=True))
    odds, fall = fitted(kept, model_entry("wholeness", given.models).threshold)
    print(f"ODDS, FALL = {odds:.2f}, {fall:.2f}")


if __name__ == "__main__":
    main()
