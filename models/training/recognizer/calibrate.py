"""Fits what the mean of several crops is worth (agent/vision/plate_views.py), on what may choose:
part *tune* of the photographs, and drawn scenes. Prints numbers only, never a text or a file name.

    python -m models.training.recognizer.calibrate [--data ../shared/plates] [--scenes 60]
    [--seed 31] [--models DIR]

It belongs after every training of the recogniser or the aligner. Both sets count the same, and so
does each plate of the photographs, however many of its moved copies are doubtful.
"""

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from agent.core.reading.overlap import Box
from agent.core.reading.sighting import Frame
from agent.pipeline import plates_in
from agent.vision.model_loader import load_vision
from agent.vision.plate_views import RIGHT, SHIFT, WRONG, beta
from agent.vision.whole.wholeness import Missing
from bench.cause_frames import CAUSES, scenes
from models.training import fonts
from models.training.evaluate import COPIES, NOW, best_of, copied, opened, pictures
from models.training.logistic import Numbers, regressed
from models.training.readers import reader_with
from models.training.render.syntax import font_names

NOTHING_CHANGES = np.array([1.0, 1.0, 0.0])  # the parameters that few samples leave as they are
Picture = tuple[str, Frame, Box, str]  # its plate, by any name; the frame, the plate's box and text


@dataclass(slots=True)
class Means:
    """Keeps every mean over several crops, and leaves it as it is: a read with one of these
    confidences was read from several crops, and has no limit.
    """

    known: set[float] = field(default_factory=set)

    def __call__(self, mean: float) -> float:
        self.known.add(mean)
        return mean


@dataclass(frozen=True, slots=True)
class Doubtful:
    """Reads of several crops: the mean of each, whether it was right, and how much it counts; the
    weights sum to 1.
    """

    means: Numbers
    right: Numbers
    weights: Numbers


def doubtful(seen: Iterator[Picture], models: Path | None) -> Doubtful:
    """Those reads of these pictures' plates. Raises SystemExit where there is none."""
    means = Means()
    detector = load_vision(1, models)[0]
    reader = reader_with(lambda *_: Missing(), models, means)
    found = list[tuple[str, float, bool]]()
    for plate, frame, box, text in seen:
        said = best_of(plates_in(detector, reader, frame), box, text)
        if said is not None and said.confidence in means.known:
            found.append((plate, said.confidence, said.right))
    if not found:
        message = "no plate was read from several crops: give more pictures"
        raise SystemExit(message)
    copies = Counter(plate for plate, _, _ in found)
    weights = np.array([1 / copies[plate] for plate, _, _ in found])
    return Doubtful(
        np.array([mean for _, mean, _ in found]),
        np.array([right for _, _, right in found], float),
        weights / weights.sum(),
    )


def photographs(data: Path) -> Iterator[Picture]:
    """Part *tune* of the photographs with texts, in moved and scaled copies."""
    for where, path, boxes, texts in pictures(data, ("tune",)):
        image = opened(where, path) if texts else None
        for copy in COPIES if image is not None else ():
            moved, places = copied(image, boxes, copy)
            for number, (box, text) in enumerate(zip(places, texts, strict=True)):
                yield f"{path} {number}", Frame(moved, NOW, 0), box, text


def drawn(count: int, seed: int) -> Iterator[Picture]:
    """Scenes of every cause that leaves the whole text to be read."""
    for cause in CAUSES:
        if cause.cut or cause.stacked:
            continue
        for number, scene in enumerate(scenes(cause, count, seed)):
            yield f"{cause.name} {number}", scene.frame, scene.box, scene.text


def fitted(sets: Sequence[Doubtful]) -> tuple[float, float, float]:
    """The parameters of plate_views.beta with the least log loss, each set counting the same, and
    the first two not below 0, since more must not become less.
    """
    means = np.concatenate([one.means for one in sets])
    right = np.concatenate([one.right for one in sets])
    weights = np.concatenate([one.weights for one in sets]) * len(means) / len(sets)
    clear = np.clip(means, 1e-6, 1 - 1e-6)
    rows = np.stack([np.log(clear), -np.log1p(-clear), np.ones_like(clear)], 1)
    free = np.ones(3, bool)
    while True:
        found = regressed(rows * free, right, weights, NOTHING_CHANGES * free)
        if (rises := found[:2] >= 0).all():
            return float(found[0]), float(found[1]), float(found[2])
        free[:2] &= rises


def loss(one: Doubtful, parameters: tuple[float, float, float]) -> float:
    """The mean log loss of the calibrated means, in nats."""
    said = np.clip([beta(mean, *parameters) for mean in one.means], 1e-6, 1 - 1e-6)
    return -float(one.weights @ np.log(np.where(one.right > 0, said, 1 - said)))


def main() -> None:
    """Read, fit, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--scenes", type=int, default=60, help="drawn, of each cause (60)")
    parser.add_argument("--seed", type=int, default=31, help="of drawing (31)")
    parser.add_argument("--models", type=Path, help="another folder with a manifest")
    given = parser.parse_args()
    fonts.require(font_names())
    sets = {
        "photographs": doubtful(photographs(given.data), given.models),
        "drawn": doubtful(drawn(given.scenes, given.seed), given.models),
    }
    right, wrong, shift = fitted(list(sets.values()))
    print(f"RIGHT, WRONG, SHIFT = {right:.2f}, {wrong:.2f}, {shift:.2f}")
    print("log loss of doubtful texts: the mean itself, as it ships, fitted to the other set")
    for name, one in sets.items():
        others = fitted([other for key, other in sets.items() if key != name])
        losses = [loss(one, each) for each in ((1, 1, 0), (RIGHT, WRONG, SHIFT), others)]
        print(f"{name}, {len(one.means)}: {'  '.join(f'{value:.3f}' for value in losses)}")


if __name__ == "__main__":
    main()
