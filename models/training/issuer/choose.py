"""Shows how often models/issuer.onnx names a state, and how often the right one, on photographs
whose state is known (`us_crops_dev`), by threshold and by the plate's width.

    python -m models.training.issuer.choose [--data ../shared/plates] [--part tune|test]
    [--models DIR]

Choose on *tune*, the default, and quote *test*. Narrow plates are the same pictures made smaller.
Plates of other continents (`benchmark_dev`) name no state: whatever is named there is wrong.
Prints figures only, never a text or a file name.
"""

import argparse
import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

from agent.core.reading.sighting import Frame, Image, PlateBox
from agent.pipeline import plates_in
from agent.vision.issuer.issuer import NARROWEST_PX, Issuer, width_of
from agent.vision.model_loader import load_vision
from agent.vision.models import load_model, model_entry
from agent.vision.recognizer import WITH_STATES
from bench.intervals import share
from bench.scoring import SURE, load_benchmark
from models.training.evaluate import NOW, percent
from models.training.parts import PARTS, Part, part_of_file

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
SHRUNK = (0.8, 0.67, 0.58, 0.5, 0.42, 0.36, 0.3)


@dataclass(frozen=True, slots=True)
class Plate:
    """One picture, its plate if a state may be told of it (a sure text), and the true state."""

    image: Image
    box: PlateBox | None
    state: str


def crops(data: Path, part: Part, models: Path | None) -> Iterator[Plate]:
    """`us_crops_dev`, with the most confident plate of each picture."""
    folder, vision = data / "us_crops_dev", load_vision(1, models)
    with (folder / "truth.csv").open(newline="", encoding="utf-8") as file:
        for name, state, _text in csv.reader(file):
            image = cv2.imread(str(folder / name))
            if image is None or part_of_file(folder / name) != part:
                continue
            reads = plates_in(*vision, Frame(np.asarray(image, np.uint8), NOW, 0))
            best = max(reads, key=lambda read: read.confidence, default=None)
            sure = best is not None and best.confidence >= SURE and best.region == WITH_STATES
            yield Plate(image, best.box if best and sure else None, f"US-{state.upper()}")


def shrunk(plate: Plate, scale: float) -> Plate:
    """The same, smaller; where the plate is stays known."""
    if plate.box is None:
        return plate
    small = cv2.resize(plate.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    x, y, width, height = (value * scale for value in plate.box.box)
    corners = [(across * scale, down * scale) for across, down in plate.box.corners]
    box = PlateBox((x, y, width, height), tuple(corners), plate.box.confidence, plate.box.rows)
    return Plate(np.asarray(small, np.uint8), box, plate.state)


def row(title: str, plates: Iterable[Plate], issuer: Issuer) -> list[str]:
    """How many, for how many a state is named, of how many rightly."""
    plates = list(plates)
    said = [(issuer(one.image, one.box) if one.box else None, one.state) for one in plates]
    rights = [state == true for state, true in said if state is not None]
    return [
        title,
        str(len(plates)),
        percent(share(len(rights), len(plates))),
        percent(share(sum(rights), len(rights))) if rights else "none",
        str(rights.count(False)),
    ]


def elsewhere(data: Path, part: Part, models: Path | None) -> dict[str, tuple[int, int]]:
    """Of benchmark_dev by region: plates wide enough and read surely, and those with a state."""
    vision, counts = load_vision(1, models), {}
    for picture in load_benchmark(data / "benchmark_dev"):
        image = cv2.imread(str(picture.path))
        if image is None or part_of_file(picture.path) != part:
            continue
        reads = plates_in(*vision, Frame(np.asarray(image, np.uint8), NOW, 0))
        wide = [
            one for one in reads if one.confidence >= SURE and width_of(one.box) >= NARROWEST_PX
        ]
        before = counts.get(picture.region, (0, 0))
        told = sum(one.state is not None for one in wide)
        counts[picture.region] = before[0] + len(wide), before[1] + told
    return counts


def print_tables(plates: Sequence[Plate], models: Path | None) -> None:
    """By threshold, then by width at the shipped one."""
    session, shipped = load_model("issuer", 1, models), model_entry("issuer", models).threshold
    shown = Table("threshold", "plates", "state named", "rightly", "wrongly")
    for threshold in sorted({*THRESHOLDS, shipped}):
        shown.add_row(*row(f"{threshold:g}", plates, Issuer(session, threshold)))
    narrow = Table("median width", "plates", "state named", "rightly", "wrongly")
    for scale in (1.0, *SHRUNK):
        smaller = [shrunk(one, scale) for one in plates]
        middle = np.median([width_of(one.box) for one in smaller if one.box])
        narrow.add_row(*row(f"{middle:.0f} px", smaller, Issuer(session, shipped, 0.0)))
    console = Console()
    console.print(shown)
    console.print(narrow)


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    parser.add_argument("--part", choices=PARTS, default="tune", help="(tune)")
    given = parser.parse_args()
    print_tables(list(crops(given.data, given.part, given.models)), given.models)
    for region, (wide, told) in elsewhere(given.data, given.part, given.models).items():
        print(f"benchmark_dev {region}: {wide} read surely and wide enough, state named of {told}")


if __name__ == "__main__":
    main()
