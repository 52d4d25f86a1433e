"""The labelled photographs that the detector trains on, decoded once into a cache.

Only darkplate and romania_night's train split; the guard refuses everything that is measure-only.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from models.training.data_guard import refuse_measure_only
from models.training.detector import flat_images
from models.training.detector.flat_images import Image

FEWEST_CHARACTERS_FOR_SLOPE = 4
PLATE_FREE = Path(__file__).with_name("plate_free.txt")
# Plates (or what may be one) that the sets leave unlabelled: an early detector found them, a person
# looked. They are neither taught nor held against the network; without this a third of the night
# set's plates would be taught as background.
UNCOUNTED = Path(__file__).with_name("uncounted.json")
# What the same early detector took for a plate and a person recognised as badge, lamp or gap: the
# training looks there often.
MISTAKEN = Path(__file__).with_name("mistaken.json")


def slope_of(characters: list[list]) -> float | None:
    """Rise over run of a plate's line of characters ([text, x, y, w, h] in px); None when there are
    too few.
    """
    if len(characters) < FEWEST_CHARACTERS_FOR_SLOPE:
        return None
    x = np.array([c[1] + c[3] / 2 for c in characters])
    y = np.array([c[2] + c[4] / 2 for c in characters])
    if np.ptp(x) < 3 * np.ptp(y):  # two rows, or a box that slipped
        return None
    return float(np.polyfit(x, y, 1)[0])


def corners_of(box: list[float], slope: float) -> list[list[float]] | None:
    """The sheared plate (upright sides) whose hull is `box`; None when the slope and the box
    contradict each other.
    """
    x, y, width, height = box
    drop = slope * width
    if abs(drop) > height / 2:
        return None
    left, right = (0.0, drop) if drop > 0 else (-drop, 0.0)
    side = height - abs(drop)
    return [
        [x, y + left],
        [x + width, y + right],
        [x + width, y + right + side],
        [x, y + left + side],
    ]


def notes(data: Path) -> Iterator[tuple[str, dict]]:
    """Every allowed photograph's file and what is known of it; of those without plates only the
    ones that a person looked at.
    """
    plate_free = set(PLATE_FREE.read_text(encoding="utf-8").split())
    uncounted = json.loads(UNCOUNTED.read_text(encoding="utf-8"))
    mistaken = json.loads(MISTAKEN.read_text(encoding="utf-8"))
    for line in refuse_measure_only(data / "train.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record.get("split") == "valid" or (
            not record["plates"] and record["file"] not in plate_free
        ):
            continue
        slopes = [slope_of(plate.get("chars", [])) for plate in record["plates"]]
        yield (
            record["file"],
            {
                "set": record["file"].split("/")[0],
                "boxes": [plate["box"] for plate in record["plates"]],
                "corners": [
                    None if slope is None else corners_of(plate["box"], slope)
                    for plate, slope in zip(record["plates"], slopes, strict=True)
                ],
                "uncounted": uncounted.get(record["file"], []),
                "mistaken": mistaken.get(record["file"], []),
            },
        )


def labelled(data: Path) -> Iterator[tuple[Image, dict]]:
    """Every allowed photograph, decoded, with its note."""
    for file, note in notes(data):
        image = cv2.imread(str(refuse_measure_only(data / file)))
        if image is None:
            message = f"{file}: not readable"
            raise OSError(message)
        yield image, note


def load(data: Path, cache: Path) -> flat_images.FlatImages:
    """The photographs from `cache`, filled from `data` when empty; the notes as they are now, since
    people go on looking.
    """
    path = cache / "photographs"
    if not flat_images.exists(path):
        flat_images.save(path, labelled(data))
    return replace(flat_images.load(path), notes=tuple(note for _, note in notes(data)))
