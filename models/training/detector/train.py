"""Trains the detector on a CPU within a given time; can be stopped and started again.

python -m models.training.detector.train --minutes 80
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset

from models.training.data_guard import refuse_measure_only
from models.training.detector import banks, losses, photographs, scenes, targets
from models.training.detector.net import PlateNet

# Small pictures hold more plates per pixel and train faster; every fourth batch shows the shape of inference.
SMALL = (416, 256, 16)  # width, height, pictures
FULL = (640, 384, 7)
FULL_EVERY = 4
PEAK_RATE, LAST_RATE, WARM_UP_STEPS, WEIGHT_DECAY = 2.5e-3, 1e-5, 150, 0.01
EMA_DECAY = 0.998
SAVE_EVERY_S, LOG_EVERY_STEPS = 180, 50


class Batches(IterableDataset):
    """Endless batches; the n-th is a function of the seed and n alone."""

    def __init__(self, data: Path, cache: Path, seed: int, first: int) -> None:
        self.data, self.cache, self.seed, self.first = data, cache, seed, first

    def __iter__(self) -> Iterator[tuple[Tensor, losses.Maps]]:
        cv2.setNumThreads(1)
        torch.set_num_threads(1)
        maker = scenes.SceneMaker(photographs.load(self.data, self.cache), *banks.load(self.cache))
        number = self.first
        while True:
            yield self.batch(maker, number)
            number += 1

    def batch(self, maker: scenes.SceneMaker, number: int) -> tuple[Tensor, losses.Maps]:
        """uint8 N x 3 x H x W BGR and its targets."""
        rng = np.random.default_rng([self.seed, number])
        width, height, count = FULL if number % FULL_EVERY == 0 else SMALL
        made = [maker.scene(rng, width, height) for _ in range(count)]
        drawn = [targets.draw(scene) for scene in made]
        images = torch.from_numpy(np.stack([scene.image for scene in made])).permute(0, 3, 1, 2)
        maps = [torch.from_numpy(np.stack([getattr(one, f.name) for one in drawn])) for f in fields(losses.Maps)]
        return images, losses.Maps(*maps)


class Run:
    """Network, averaged network, optimiser and clock of one training, saved and restored together."""

    def __init__(self, folder: Path, minutes: float, seed: int) -> None:
        torch.manual_seed(seed)
        self.path = folder / "checkpoint.pt"
        self.command = f"python -m models.training.detector.train --minutes {minutes:g} --seed {seed}"
        self.net = PlateNet().to(memory_format=torch.channels_last)
        self.ema = PlateNet()
        self.ema.load_state_dict(self.net.state_dict())
        decay = [p for p in self.net.parameters() if p.ndim > 1]
        plain = [p for p in self.net.parameters() if p.ndim <= 1]
        groups = [{"params": decay, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, lr=PEAK_RATE)
        self.budget_s, self.spent_s, self.step = minutes * 60, 0.0, 0
        if self.path.exists():
            state = torch.load(self.path, weights_only=True)
            self.net.load_state_dict(state["net"])
            self.ema.load_state_dict(state["ema"])
            self.optimiser.load_state_dict(state["optimiser"])
            self.spent_s, self.step = state["spent_s"], state["step"]

    def save(self) -> None:
        """Replace the checkpoint in one move, so that a kill at any time leaves a whole one."""
        state = {
            "net": self.net.state_dict(),
            "ema": self.ema.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "spent_s": self.spent_s,
            "step": self.step,
            "command": self.command,
        }
        torch.save(state, self.path.with_suffix(".new"))
        self.path.with_suffix(".new").replace(self.path)

    def rate(self) -> float:
        """Linear warm-up by steps, then a cosine by time: a slow machine trains less, but always to the end."""
        share = min(1.0, self.spent_s / self.budget_s)
        cosine = LAST_RATE + (PEAK_RATE - LAST_RATE) * (1 + np.cos(np.pi * share)) / 2
        return float(cosine * min(1.0, (self.step + 1) / WARM_UP_STEPS))

    def learn(self, images: Tensor, maps: losses.Maps) -> Tensor:
        """One step; the loss's parts."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        outputs = self.net(images.contiguous(memory_format=torch.channels_last))
        loss, parts = losses.total(outputs, maps)
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 10.0)
        self.optimiser.step()
        self.step += 1
        self.average()
        return parts

    @torch.no_grad()
    def average(self) -> None:
        """Move the averaged weights; quicker at the start, so that early checkpoints are of use."""
        decay = min(EMA_DECAY, (1 + self.step) / (20 + self.step))
        for mine, theirs in zip(self.ema.state_dict().values(), self.net.state_dict().values(), strict=True):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)


def train(run: Run, batches: Iterator[tuple[Tensor, losses.Maps]]) -> None:
    """Steps until the time is spent."""
    run.net.train()
    sums, counted, saved = torch.zeros(3), 0, run.spent_s
    last = time.monotonic()
    while run.spent_s < run.budget_s:
        sums += run.learn(*next(batches))
        counted += 1
        now = time.monotonic()
        run.spent_s, last = run.spent_s + now - last, now
        if run.step % LOG_EVERY_STEPS == 0:
            heat, box, corner = (sums / counted).tolist()
            print(
                f"{run.spent_s / 60:6.1f} min  step {run.step:6d}  rate {run.rate():.1e}  heat {heat:.3f}  box {box:.3f}  corners {corner:.3f}",
                flush=True,
            )
            sums.zero_()
            counted = 0
        if run.spent_s - saved > SAVE_EVERY_S:
            run.save()
            saved = run.spent_s
    run.save()


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/plates"))
    parser.add_argument("--work", type=Path, default=Path("../train/detector"), help="caches and checkpoints")
    parser.add_argument("--minutes", type=float, default=80)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    refuse_measure_only(options.data)
    torch.set_num_threads(options.threads)
    options.work.mkdir(parents=True, exist_ok=True)
    photographs.load(options.data, options.work)
    banks.load(options.work)
    run = Run(options.work, options.minutes, options.seed)
    loader = DataLoader(
        Batches(options.data, options.work, options.seed, run.step),
        batch_size=None,
        num_workers=1,
        prefetch_factor=6,
    )
    train(run, iter(loader))


if __name__ == "__main__":
    main(sys.argv[1:])
