"""What is no plate, out of the photographs that may be trained on: taken for one by an early
detector, or anywhere away from plates.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.training.data_guard import refuse_measure_only
from models.training.detector.photographs import MISTAKEN, UNCOUNTED

Grey = NDArray[np.uint8]
SURROUNDINGS = 0.5  # of the box's sides, on each side
ELSEWHERE = 3  # boxes drawn per photograph, away from everything that may be a plate
NARROWEST_PX, WIDEST_PX = 30, 260
SEED = 20261123


def clutter(root: Path) -> Iterator[tuple[Grey, NDArray[np.float32]]]:
    """Grey cuttings with their surroundings, and the box in them as a quad, 4×2 px.

    Raises MeasureOnlyError on measure-only data.

    Frames without any label are left out: they are for measuring, or may hide a plate.
    """
    rng = np.random.default_rng(SEED)
    mistaken = json.loads(MISTAKEN.read_text(encoding="utf-8"))
    uncounted = json.loads(UNCOUNTED.read_text(encoding="utf-8"))
    for line in refuse_measure_only(root / "train.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.get("split") == "valid" or not record["plates"]:
            continue
        frame = cv2.imread(str(refuse_measure_only(root / record["file"])), cv2.IMREAD_GRAYSCALE)
        plates = [p["box"] for p in record["plates"]] + uncounted.get(record["file"], [])
        boxes = list(mistaken.get(record["file"], []))
        boxes += [
            box
            for box in (anywhere(rng, frame) for _ in range(ELSEWHERE))
            if not any(touches(box, plate) for plate in plates)
        ]
        for box in boxes:
            yield cut_out(frame, box)


def anywhere(rng: np.random.Generator, frame: Grey) -> list[float]:
    """A box of a plate's size and proportions, x, y, width, height px, inside the frame."""
    height, width = frame.shape
    wide = min(float(np.exp(rng.uniform(np.log(NARROWEST_PX), np.log(WIDEST_PX)))), width * 0.9)
    tall = min(wide / rng.uniform(1.3, 5.0), height * 0.9)
    return [float(rng.uniform(0, width - wide)), float(rng.uniform(0, height - tall)), wide, tall]


def touches(box: list[float], other: list[float]) -> bool:
    """Whether the boxes, x, y, width, height, come closer than a fifth of their sides."""
    return all(
        box[i] - 0.2 * box[i + 2] < other[i] + other[i + 2] and other[i] < box[i] + 1.2 * box[i + 2]
        for i in (0, 1)
    )


def cut_out(frame: Grey, box: list[float]) -> tuple[Grey, NDArray[np.float32]]:
    """The box and its surroundings, and the box's corners in that cutting."""
    x, y, width, height = box
    x0, y0 = max(0, int(x - width * SURROUNDINGS)), max(0, int(y - height * SURROUNDINGS))
    cutting = frame[
        y0 : int(y + height * (1 + SURROUNDINGS)) + 1, x0 : int(x + width * (1 + SURROUNDINGS)) + 1
    ].copy()
    left, top = x - x0, y - y0
    return cutting, np.array(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
        np.float32,
    )
