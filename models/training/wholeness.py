"""Fits the weights by which a read is held to be of a whole plate, and writes
agent/vision/whole/wholeness.json.

    python -m models.training.wholeness [--scenes 1200] [--data ../shared/plates] [--models DIR]
    [--keep 0.98] [--to FILE]

Drawn plates, and real ones whose training is allowed, are hidden in part as `python -m
bench.limits` does it. Of what the reader is sure of, a logistic regression (Cox, 1958) tells right
reads of whole plates from wrong reads of hidden ones. It belongs after every training of the other
networks.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as with_progress

from agent.core.reading.sighting import Frame
from agent.ports import PlateDetector
from agent.vision.model_loader import load_vision
from agent.vision.models import load_model
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.whole import wholeness
from bench.limits import NOW, TUNED_ON, drawn, on_plate
from bench.scoring import SURE, plain
from bench.spoilt_plates import Spoilt, box, whole_and_hidden
from models.training import fonts
from models.training.data_guard import refuse_measure_only
from models.training.render.syntax import font_names

TARGET = Path(wholeness.__file__).with_name("wholeness.json")
NARROWEST_PX = 64.0  # of a real plate: smaller ones are seldom sure
RIDGE, STEPS, RATE = 1e-3, 4000, 0.4
REAL_EVERY = 3
PLACES = 5  # decimal places

Signs = NDArray[np.float64]


@dataclass(slots=True)
class Recorder:
    """Keeps the last signs that the reader weighed, and finds every plate whole."""

    last: tuple[float, ...] = field(default=())

    def __call__(self, signs: Sequence[float]) -> bool:
        self.last = tuple(signs)
        return True


def real(data: Path) -> Iterator[tuple[Spoilt, str]]:
    """A third of DarkPlate's labelled plates, spoilt; the rest may tell how good a fit is."""
    lines = refuse_measure_only(data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    for number, record in enumerate(map(json.loads, lines)):
        if not record["file"].startswith("darkplate/") or number % REAL_EVERY:
            continue
        wide = [p for p in record["plates"] if p["text"] and p["box"][2] >= NARROWEST_PX]
        picture = cv2.imread(str(refuse_measure_only(data / record["file"]))) if wide else None
        for place, plate in enumerate(wide):
            x, y, width, height = plate["box"]
            corners = box(np.array([x, y]), np.array([x + width, y + height]))
            rng = np.random.default_rng([TUNED_ON, number, place])
            for spoilt in whole_and_hidden(rng, picture, corners):
                yield spoilt, plate["text"]


def examples(
    detector: PlateDetector, session: object, pictures: Iterator[tuple[Spoilt, str]]
) -> Iterator[tuple[tuple[float, ...], bool]]:
    """The signs of each sure read that is right and whole, or wrong and hidden; and which."""
    recorder = Recorder()
    reader = OnnxPlateReader(session, recorder)
    for spoilt, text in pictures:
        frame = Frame(spoilt.image, NOW, 0)
        for plate in detector.find_plates(frame):
            recorder.last = ()
            read = reader.read(frame, plate)
            if not recorder.last or read.confidence < SURE or not on_plate(spoilt, read):
                continue
            right = plain(read.text.value, fold=True) == plain(text, fold=True)
            if right == (spoilt.how == "whole"):
                yield recorder.last, not right


def fitted(signs: Signs, hidden: NDArray[np.bool_], keep: float) -> dict[str, object]:
    """What wholeness.json holds. `keep`: share of the whole plates that stay sure."""
    middle, spread = signs.mean(axis=0), signs.std(axis=0) + 1e-6
    scaled = np.hstack([(signs - middle) / spread, np.ones((len(signs), 1))])
    weights = np.zeros(scaled.shape[1])
    for _ in range(STEPS):
        chances = 1 / (1 + np.exp(-scaled @ weights))
        weights -= RATE * (scaled.T @ (chances - hidden) / len(signs) + RIDGE * weights)
    against = scaled @ weights
    limit = float(np.quantile(against[~hidden], keep))
    caught = float((against[hidden] >= limit).mean())
    print(f"{len(signs)} reads, {hidden.sum()} of hidden plates: {caught:.1%} of these are seen")
    columns = zip(wholeness.NAMES, middle, spread, weights[:-1], strict=True)
    return {
        "signs": {name: [round(float(v), PLACES) for v in column] for name, *column in columns},
        "bias": round(float(weights[-1]), PLACES),
        "limit": round(limit, PLACES),
        "fitted_on": {"whole": int((~hidden).sum()), "hidden": int(hidden.sum()), "keep": keep},
    }


def main() -> None:
    """Spoil, read, fit, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--scenes", type=int, default=1200, help="drawn ones (1200)")
    parser.add_argument("--data", type=Path, help="photographs whose training is allowed")
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    parser.add_argument("--keep", type=float, default=0.98, help="of the whole plates (0.98)")
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    fonts.tell(font_names())
    cv2.setNumThreads(1)
    detector, _ = load_vision(1, given.models)
    session = load_model("recognizer", 1, given.models)
    found: list[tuple[tuple[float, ...], bool]] = []
    for pictures in (
        drawn(given.scenes, TUNED_ON, whole_and_hidden),
        real(given.data) if given.data else iter(()),
    ):
        shown = with_progress(pictures, "reading", console=Console(stderr=True), transient=True)
        found += examples(detector, session, iter(shown))
    table = fitted(
        np.array([signs for signs, _ in found]),
        np.array([hidden for _, hidden in found]),
        given.keep,
    )
    given.to.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(given.to)


if __name__ == "__main__":
    main()
