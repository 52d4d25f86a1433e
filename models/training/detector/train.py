"""Trains the detector's teacher, the wide network, while one process composes scenes for it; can be
stopped and taken up again.

    python -m models.training.detector.train --minutes 150 --out ../train/teacher [--data
    ../shared/plates]

With `--start` it goes on with whichever network that is: also with the slim one that ships, from
the labels alone (models/training/reopen.py).
"""

import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.training.asking import Defaults, ask, begin
from models.training.detector import banks, losses, photographs, scenes, targets
from models.training.detector.flat_images import Image
from models.training.detector.net import net_of
from models.training.feeding import Feeder
from models.training.loop import Training

# Small pictures hold more plates per pixel and train faster; every fourth batch shows the shape of
# inference.
SMALL = (416, 256, 16)  # width, height, pictures
FULL = (640, 384, 7)
FULL_EVERY = 4
DEFAULTS = Defaults("detector.train", minutes=150.0, rate=2.5e-3)


def batches(data: Path, cache: Path, seed: int, first: int) -> Iterator[tuple[Tensor, losses.Maps]]:
    """Batches without end; the n-th is a function of the seed and n alone."""
    torch.set_num_threads(1)
    maker = scenes.SceneMaker(photographs.load(data, cache), *banks.load(cache))
    number = first
    while True:
        yield batch(
            maker,
            np.random.default_rng([seed, number]),
            FULL if number % FULL_EVERY == 0 else SMALL,
        )
        number += 1


def batch(
    maker: scenes.SceneMaker, rng: np.random.Generator, size: tuple[int, int, int]
) -> tuple[Tensor, losses.Maps]:
    """uint8 N x 1 x H x W and its targets."""
    width, height, count = size
    made = [maker.scene(rng, width, height) for _ in range(count)]
    drawn = [targets.draw(scene) for scene in made]
    images = torch.from_numpy(np.stack([grey(rng, scene.image) for scene in made]))[:, None]
    maps = [
        torch.from_numpy(np.stack([getattr(one, f.name) for one in drawn]))
        for f in fields(losses.Maps)
    ]
    return images, losses.Maps(*maps)


def grey(rng: np.random.Generator, image: Image) -> NDArray[np.uint8]:
    """Luminance; one time in four another mix of the colours, as other sensors and filters see
    them.
    """
    if rng.random() < 0.75:
        return cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
    return cv2.transform(image, rng.dirichlet([2, 2, 2]).astype(np.float32)[None])


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    photographs.load(asked.data, asked.cache)
    banks.load(asked.cache)
    net = net_of(asked.start)
    begin(net, asked.start)
    training = Training(net, asked.plan)
    feeder = Feeder(
        lambda _share: batches(asked.data, asked.cache, asked.plan.seed, training.step), depth=6
    )
    training.run(feeder, losses.losses_of)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
