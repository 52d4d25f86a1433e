"""What the reader weighs of plates that are whole, hidden in part, stacked, or of two rows: drawn
ones and photographs whose training is allowed, read once and kept in a file.

    python -m models.training.whole.samples --to ../train/whole/17.npz [--scenes 600] [--data
    ../shared/plates] [--views 2] [--seed 17] [--models DIR] [--former OTHER/recognizer.onnx]

Kept are the plate with its surroundings, the signs, and whether the text was the whole plate's: no
text. `--former`: the recogniser before a training of all its layers, whose features are kept too.
A wholeness network that knows these can then teach one that is given the new ones.
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.random import Generator
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as with_progress

from agent.core.reading.sighting import Frame, Image, PlateBox, PlateRead
from agent.ports import PlateDetector, PlateReader
from agent.vision.model_loader import load_vision
from agent.vision.plate_views import CLOSE, Map, Views
from agent.vision.whole.wholeness import Missing, Sight, around, signs_of
from bench import street
from bench.limits import NOW, on_plate
from bench.scoring import plain
from bench.spoilt_plates import Corners, Spoilt, box
from models.training import fonts
from models.training.data_guard import refuse_measure_only
from models.training.readers import reader_with
from models.training.render.syntax import font_names
from models.training.whole.hiding import hidden

KINDS = ("whole", "wrong", "right though hidden", "stacked", "row of two")
WHOLE, WRONG, LUCKY, STACKED, ROW = range(len(KINDS))
DRAWN, PHOTOGRAPHED = range(2)
TWICE, HIDINGS = 4, 5  # looks at a plate that is whole; that is hidden
STACKED_LOOKS = 3
NARROWEST_PX, WIDEST_PX = 60.0, 230.0
ENLARGED = 1.2  # at most: a photograph's plate
ROOM = 1.2  # of the plate's width, that is kept around it
ROOM_PX = 200
TWO_ROWS, STACKS = 0.12, 0.06
LEGIBLE = 0.6  # of a photograph's plate whose text nobody noted


@dataclass(frozen=True, slots=True)
class Samples:
    """Columns: N×96×192 grey, the recogniser's features N×160×32, those of the recogniser before
    it (the same ones, where none was named), the signs N×26; kind, DRAWN or PHOTOGRAPHED, number of
    the scene or photograph, confidence of the text.
    """

    around: NDArray[np.uint8]
    features: NDArray[np.float16]
    former: NDArray[np.float16]
    signs: NDArray[np.float32]
    kind: NDArray[np.int64]
    source: NDArray[np.int64]
    number: NDArray[np.int64]
    sure: NDArray[np.float32]


def load(files: Sequence[Path]) -> Samples:
    """Several files as one."""
    columns: dict[str, list[NDArray]] = {name: [] for name in Samples.__slots__}
    for file in files:
        with np.load(refuse_measure_only(file)) as kept:
            for name, column in columns.items():
                column.append(kept[name if name in kept else "features"])
    return Samples(*(np.concatenate(column) for column in columns.values()))


@dataclass(slots=True)
class Recorder:
    """Keeps what the reader weighed last, and finds every plate whole. `former`: the recogniser
    whose features are kept too.
    """

    former: Views | None = None
    last: tuple[Image, Map, Map, tuple[float, ...]] | None = None

    def __call__(self, image: Image, plate: PlateBox, sight: Sight) -> Missing:
        surroundings, before = around(image, plate), sight.features
        if self.former:
            before = self.former.look(image, plate, CLOSE).features
        self.last = surroundings, sight.features, before, signs_of(surroundings, plate, sight)
        return Missing()


@dataclass(slots=True)
class Keeping:
    """The line whose reads are kept, and what is kept, by Samples' names."""

    models: Path | None = None
    rows: list[tuple] = field(default_factory=list)
    recorder: Recorder = field(default_factory=Recorder)
    detector: PlateDetector = field(init=False)
    reader: PlateReader = field(init=False)

    def __post_init__(self) -> None:
        self.detector = load_vision(1, self.models)[0]
        self.reader = reader_with(self.recorder, self.models)

    def look(self, image: Image, corners: Corners) -> PlateRead | None:
        """What was read on the plate, if that was weighed."""
        frame = Frame(image, NOW, 0)
        for plate in self.detector.find_plates(frame):
            self.recorder.last = None
            read = self.reader.read(frame, plate)
            if self.recorder.last and on_plate(Spoilt("", image, corners), read):
                return read
        return None

    def keep(self, read: PlateRead, kind: int, source: int, number: int) -> None:
        """The read that was looked at last."""
        assert self.recorder.last is not None
        self.rows.append((*self.recorder.last, kind, source, number, read.confidence))

    def columns(self) -> Samples:
        """All that was kept."""
        surroundings, features, former, signs, *numbers, sure = zip(*self.rows, strict=True)
        kind, source, number = (np.array(one, np.int64) for one in numbers)
        return Samples(
            np.array(surroundings, np.uint8),
            np.array(features, np.float16),
            np.array(former, np.float16),
            np.array(signs, np.float32),
            kind,
            source,
            number,
            np.array(sure, np.float32),
        )


def drawn(keeping: Keeping, seed: int, number: int) -> None:
    """One scene: whole, then hidden; stacked letters and rows that the reader leaves out."""
    rng = np.random.default_rng([seed, number])
    at = rng.random()
    two, stacked = at < TWO_ROWS, TWO_ROWS <= at < TWO_ROWS + STACKS
    one = street.scene(rng, "us" if stacked else None, 2 if two else 1, stacked=stacked or None)
    truth = plain(one.text, fold=True)
    (x0, y0), (x1, y1) = box_around(one.corners, ROOM_PX)
    part, corners = one.image[y0:y1, x0:x1], one.corners - np.float32([x0, y0])
    for turn in range(STACKED_LOOKS if stacked else TWICE + HIDINGS):
        hides = turn >= TWICE and not stacked
        seen = hidden(rng, part, corners) if hides else part
        read = keeping.look(street.photographed(rng, seen), corners)
        if read is None:
            continue
        text = plain(read.text.value, fold=True)
        kind = judged(text, truth, hides=hides)
        if kind == WRONG and not hides:
            if len(text) >= len(truth) or not (stacked or two):
                continue  # misread, though all of it was seen
            kind = STACKED if stacked else ROW
        keeping.keep(read, kind, DRAWN, number)


def judged(text: str, truth: str, *, hides: bool) -> int:
    """The kind of a read."""
    if text != truth:
        return WRONG
    return LUCKY if hides else WHOLE


def box_around(corners: Corners, room: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """From and to in px, with so many around it, in the picture at the top and left."""
    low, high = corners.min(axis=0) - room, corners.max(axis=0) + room
    return (max(0, int(low[0])), max(0, int(low[1]))), (int(high[0]), int(high[1]))


def photographed(keeping: Keeping, data: Path, seed: int, views: int) -> None:
    """Photographs' plates in so many sizes each, hidden."""
    lines = refuse_measure_only(data / "train.jsonl").read_text(encoding="utf-8").splitlines()
    records = [r for r in map(json.loads, lines) if r.get("split") != "valid" and r["plates"]]
    for number, record in enumerate(shown(records)):
        wide = [plate for plate in record["plates"] if plate["box"][2] >= NARROWEST_PX]
        picture = cv2.imread(str(refuse_measure_only(data / record["file"]))) if wide else None
        for place, plate in enumerate(wide):
            x, y, width, height = plate["box"]
            corners = box(np.array([x, y]), np.array([x + width, y + height]))
            for view in range(views):
                rng = np.random.default_rng([seed, number, place, view])
                one_view(keeping, rng, near(rng, picture, corners), plate["text"], number)


def near(rng: Generator, image: Image, corners: Corners) -> tuple[Image, Corners]:
    """The plate with its surroundings, in a size in which it can be read."""
    wide = float(np.ptp(corners[:, 0]))
    (x0, y0), (x1, y1) = box_around(corners, ROOM * wide)
    widest = min(WIDEST_PX, ENLARGED * wide)
    scale = float(np.exp(rng.uniform(np.log(NARROWEST_PX), np.log(widest)))) / wide
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    part = cv2.resize(image[y0:y1, x0:x1], None, fx=scale, fy=scale, interpolation=way)
    moved = (corners - np.float32([x0, y0])) * np.float32(scale)
    return np.ascontiguousarray(part, np.uint8), moved


def one_view(
    keeping: Keeping, rng: Generator, seen: tuple[Image, Corners], noted: str | None, number: int
) -> None:
    """Whole, then hidden. Where nobody noted the text, what the whole plate is read as counts."""
    truth = plain(noted, fold=True) if noted else None
    image, corners = seen
    for turn in range(TWICE + HIDINGS):
        spoilt = hidden(rng, image, corners) if turn >= TWICE else image
        read = keeping.look(street.photographed(rng, spoilt), corners)
        if turn < TWICE and (read is None or (truth is None and read.confidence < LEGIBLE)):
            return
        if read is None:
            continue
        text = plain(read.text.value, fold=True)
        truth = truth or text
        kind = judged(text, truth, hides=turn >= TWICE)
        if kind == WRONG and turn < TWICE:
            return
        keeping.keep(read, kind, PHOTOGRAPHED, number)


def shown(items: Sequence, doing: str = "reading") -> Iterator:
    """With a bar that says what is done."""
    return iter(with_progress(items, doing, console=Console(stderr=True), transient=True))


def main() -> None:
    """Draw, hide, read, keep."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--to", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=600, help="drawn ones (600)")
    parser.add_argument("--data", type=Path, help="photographs whose training is allowed")
    parser.add_argument("--views", type=int, default=2, help="of each photograph's plate (2)")
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    parser.add_argument("--former", type=Path, help="the recogniser's file before a training")
    given = parser.parse_args()
    fonts.require(font_names())
    cv2.setNumThreads(1)
    keeping = Keeping(given.models)
    if given.former:
        keeping.recorder.former = Views(onnxruntime.InferenceSession(given.former))
    for number in shown(range(given.scenes)):
        drawn(keeping, given.seed, number)
    if given.data:
        photographed(keeping, refuse_measure_only(given.data), given.seed, given.views)
    kept = keeping.columns()
    given.to.parent.mkdir(parents=True, exist_ok=True)
    names = [name for name in Samples.__slots__ if name != "former" or given.former]
    np.savez(given.to, **{name: getattr(kept, name) for name in names})
    counts = np.bincount(kept.kind, minlength=len(KINDS)).tolist()
    print(f"{given.to}: " + ", ".join(f"{n} {k}" for n, k in zip(counts, KINDS, strict=True)))


if __name__ == "__main__":
    main()
