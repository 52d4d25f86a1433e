"""Shows what each threshold of models/wholeness.onnx keeps of whole plates and lets through of
hidden ones, on the photographs that thresholds are chosen on (part `tune`).

    python -m models.training.whole.choose BENCHMARK [--seeds 1,2,3] [--models DIR]

Plates are hidden as `python -m bench.limits` does it. A threshold of t is another logit for
`models.training.whole.export --limits`: ln(t / (1 - t)) more. Prints numbers only.
"""

import argparse
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.progress import track as with_progress
from rich.table import Table

from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.vision.model_loader import load_vision
from agent.vision.models import load_model
from agent.vision.whole.wholeness import Missing, Sight, Wholeness
from bench.limits import NOW, on_plate, photographed
from bench.scoring import SURE, plain
from bench.spoilt_plates import Spoilt
from models.training.readers import reader_with

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.01)
HOWS = ("whole", "hidden")
UNASKED = (0.0, 0.0, 0.0)  # chances of a plate that is plainly whole
Against = Callable[[Sequence[float]], float]  # from the three chances


@dataclass(slots=True)
class Asking:
    """Keeps the three chances that the network gave last, and finds every plate whole."""

    wholeness: Wholeness
    last: Sequence[float] = UNASKED

    def __call__(self, image: Image, plate: PlateBox, sight: Sight) -> Missing:
        self.last = self.wholeness.chances(image, plate, sight)
        return Missing()


@dataclass(frozen=True, slots=True)
class Sure:
    """A read that would be sure: how the plate was spoilt, right or not, the chance against it."""

    how: str
    right: bool
    chance: float


def largest(chances: Sequence[float]) -> float:
    """As Against: the largest of them, or a NaN."""
    return float(np.max(chances))


def chosen_on(folder: Path, seeds: list[int]) -> Iterator[tuple[Spoilt, str]]:
    """Plates with their texts; whole ones once."""
    for seed in seeds:
        for spoilt, text in photographed(folder, "tune", seed):
            if spoilt.how in HOWS and (spoilt.how != "whole" or seed == seeds[0]):
                yield spoilt, text


def sure_reads(
    pictures: Iterable[tuple[Spoilt, str]], models: Path | None, against: Against = largest
) -> Iterator[Sure]:
    """Of these plates. `against`: which of the three chances counts."""
    detector = load_vision(1, models)[0]
    asking = Asking(Wholeness(load_model("wholeness", 1, models), 1.0))
    reader = reader_with(asking, models)
    for spoilt, text in pictures:
        frame = Frame(spoilt.image, NOW, 0)
        for plate in detector.find_plates(frame):
            asking.last = UNASKED
            read = reader.read(frame, plate)
            if read.confidence >= SURE and on_plate(spoilt, read):
                right = plain(read.text.value, fold=True) == plain(text, fold=True)
                yield Sure(spoilt.how, right, against(asking.last))


def table(reads: list[Sure]) -> Table:
    """A row for each threshold."""
    shown = Table("threshold", "whole: right and sure", "hidden: sure", "of these wrong")
    for threshold in THRESHOLDS:
        told = [read for read in reads if read.chance < threshold]
        hidden = [read.right for read in told if read.how == "hidden"]
        whole = sum(read.right for read in told if read.how == "whole")
        shown.add_row(f"{threshold:g}", str(whole), str(len(hidden)), str(hidden.count(False)))
    return shown


def main() -> None:
    """Spoil, read, count, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("benchmark", type=Path, help="REGION/NAME.txt and pictures")
    parser.add_argument("--seeds", default="1,2,3", help="of what hides the plates (1,2,3)")
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    seeds = [int(seed) for seed in given.seeds.split(",")]
    reads = sure_reads(chosen_on(given.benchmark, seeds), given.models)
    err = Console(stderr=True)
    Console().print(table(list(with_progress(reads, "reading", console=err, transient=True))))


if __name__ == "__main__":
    main()
