"""Many decoded images of any size in one memory-mapped file, so that drawing one costs no
decoding.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class FlatImages:
    """Read-only images; `images[i]` is H x W x C uint8.

    `notes[i]`: what was stored beside it (JSON).
    """

    pixels: NDArray[np.uint8]
    offsets: tuple[int, ...]
    shapes: tuple[tuple[int, int, int], ...]
    notes: tuple[dict, ...]

    def __len__(self) -> int:
        return len(self.offsets)

    def __getitem__(self, index: int) -> Image:
        start, (height, width, channels) = self.offsets[index], self.shapes[index]
        return self.pixels[start : start + height * width * channels].reshape(
            height, width, channels
        )


def save(path: Path, images: Iterable[tuple[Image, dict]]) -> None:
    """Write `path`.bin and `path`.json; the list comes last, so that a broken run leaves no usable
    cache.
    """
    offsets, shapes, notes, position = [], [], [], 0
    with path.with_suffix(".bin").open("wb") as file:
        for image, note in images:
            file.write(np.ascontiguousarray(image).tobytes())
            offsets.append(position)
            shapes.append(image.shape)
            notes.append(note)
            position += image.size
    path.with_suffix(".json").write_text(json.dumps([offsets, shapes, notes]))


def load(path: Path) -> FlatImages:
    """Map what `save` wrote."""
    offsets, shapes, notes = json.loads(path.with_suffix(".json").read_text())
    pixels = np.memmap(path.with_suffix(".bin"), dtype=np.uint8, mode="r")
    return FlatImages(pixels, tuple(offsets), tuple(tuple(shape) for shape in shapes), tuple(notes))


def exists(path: Path) -> bool:
    """Whether a complete cache lies at `path`."""
    return path.with_suffix(".json").exists()
