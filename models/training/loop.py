"""The training loop that all networks but wholeness share: steps within a time, checkpoints,
running mean, progress, history.

A training is stopped by its time, not by a number of steps: a slow machine trains less, but always
to the end of its rate's cosine. Stopped in between, the same command goes on from the last
checkpoint.
"""

import csv
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from torch import Tensor, nn

WARM_UP_STEPS = 100
LAST_RATE = 0.004  # of the peak rate
WEIGHT_DECAY = 0.01
AVERAGING = 0.998  # per step, of the running mean of the weights, which is what gets exported
STEEPEST = 5.0  # gradients are scaled down to this norm
SAVE_EVERY_S, REPORT_EVERY_S = 120, 60
HISTORY = "history.csv"
CHECKPOINT = "checkpoint.pt"

Losses = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a training was asked for.

    `rate`: AdamW's at its peak; `command`: how to start it again, for the model's manifest.
    """

    folder: Path
    minutes: float
    seed: int
    rate: float
    command: str


def device() -> torch.device:
    """A GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def short_floats(place: torch.device) -> torch.autocast:
    """A context in which convolutions multiply bfloat16 where a processor has it, in half the time;
    weights, norms and losses stay float32.

    For texts, not for places: bfloat16's eight bits would round the aligner's corners to a third of
    a pixel.
    """
    # Older versions of PyTorch cannot tell.
    capabilities = getattr(torch.cpu, "get_capabilities", dict)()
    able = capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")
    return torch.autocast(place.type, torch.bfloat16, enabled=place.type == "cpu" and bool(able))


def averaged_weights(checkpoint: Path) -> dict[str, Tensor]:
    """The running mean out of a checkpoint, on the CPU."""
    return torch.load(checkpoint, map_location="cpu", weights_only=True)["averaged"]


def write_averaged(weights: dict[str, Tensor], command: str, folder: Path) -> Path:
    """A checkpoint of weights alone: exports and `--start` read it, a training does not go on from
    it.

    Returns its path.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.save({"averaged": weights, "command": command}, folder / CHECKPOINT)
    return folder / CHECKPOINT


def command_of(checkpoint: Path) -> str:
    """The command that a checkpoint came from."""
    return str(torch.load(checkpoint, map_location="cpu", weights_only=True)["command"])


class Training:
    """Network, optimiser, running mean, time spent: what a checkpoint holds."""

    def __init__(self, net: nn.Module, plan: Plan) -> None:
        plan.folder.mkdir(parents=True, exist_ok=True)
        self.plan, self.device = plan, device()
        self.net = net.to(self.device, memory_format=torch.channels_last)
        matrices = [p for p in net.parameters() if p.ndim > 1]
        # Biases and norms are not pulled to zero.
        others = [p for p in net.parameters() if p.ndim <= 1]
        self.optimiser = torch.optim.AdamW(
            [
                {"params": matrices, "weight_decay": WEIGHT_DECAY},
                {"params": others, "weight_decay": 0.0},
            ],
            plan.rate,
        )
        self.averaged = {name: value.clone() for name, value in net.state_dict().items()}
        self.step, self.minutes = 0, 0.0
        self.checkpoint = plan.folder / CHECKPOINT
        if self.checkpoint.exists():
            saved = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.net.load_state_dict(saved["net"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.averaged = saved["averaged"]
            self.step = saved["step"]
            self.minutes = saved["minutes"]

    @property
    def share(self) -> float:
        """Of the time that is spent, 0–1."""
        return min(1.0, self.minutes / self.plan.minutes)

    @property
    def rate(self) -> float:
        """Linear warm-up by steps, then a cosine by time."""
        cosine = LAST_RATE + (1 - LAST_RATE) * (1 + math.cos(math.pi * self.share)) / 2
        return self.plan.rate * cosine * min(1.0, (self.step + 1) / WARM_UP_STEPS)

    def save(self) -> None:
        """Replace the checkpoint in one move: a kill at any time leaves a whole one."""
        state = {
            "net": self.net.state_dict(),
            "averaged": self.averaged,
            "optimiser": self.optimiser.state_dict(),
        }
        partial = self.checkpoint.with_suffix(".part")
        torch.save(
            state | {"step": self.step, "minutes": self.minutes, "command": self.plan.command},
            partial,
        )
        partial.replace(self.checkpoint)

    def learn(self, losses: Losses) -> None:
        """One step down the sum of the losses."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate
        self.optimiser.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), STEEPEST)
        self.optimiser.step()
        self.step += 1
        self.average()

    @torch.no_grad()
    def average(self) -> None:
        """Move the running mean; quicker at the start, so that early checkpoints are of use."""
        keep = min(AVERAGING, self.step / (self.step + 20))
        for name, value in self.net.state_dict().items():
            if value.dtype.is_floating_point:
                self.averaged[name].lerp_(value, 1 - keep)
            else:
                self.averaged[name].copy_(value)

    def run(
        self,
        batches: Iterator[Any],
        losses_of: Callable[[nn.Module, Any], Losses],
        tell: Callable[[float], None] = lambda _share: None,
    ) -> None:
        """Train until the time is spent.

        `tell` learns the share of it that is, before every batch.
        """
        self.net.train()
        batch = next(batches)  # composing the first may take minutes that are not the training's
        start, before = time.monotonic(), self.minutes
        saved = reported = start
        sums: dict[str, float] = {}
        counted = 0
        with _progress() as bar:
            task = bar.add_task(
                "training", total=self.plan.minutes, completed=self.minutes, losses=""
            )
            while self.minutes < self.plan.minutes:
                tell(self.share)
                losses = losses_of(self.net, batch)
                self.learn(losses)
                counted += 1
                for name, value in losses.items():
                    sums[name] = sums.get(name, 0.0) + value.item()
                batch = next(batches)
                now = time.monotonic()
                self.minutes = before + (now - start) / 60
                bar.update(task, completed=self.minutes)
                if now - reported > REPORT_EVERY_S:
                    means = {name: value / counted for name, value in sums.items()}
                    self.report(means)
                    bar.update(task, losses=_spelt(means))
                    reported, counted, sums = now, 0, {}
                if now - saved > SAVE_EVERY_S:
                    self.save()
                    saved = now
        self.save()

    def report(self, means: dict[str, float]) -> None:
        """One line of history, and on a terminal-less run one line of text."""
        path = self.plan.folder / HISTORY
        row = {"minutes": round(self.minutes, 2), "step": self.step, "rate": f"{self.rate:.3e}"} | {
            name: f"{value:.5f}" for name, value in means.items()
        }
        new = not path.exists()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        if not Console(stderr=True).is_terminal:
            print(f"{self.minutes:.1f} min, step {self.step}, {_spelt(means)}", flush=True)


def _spelt(means: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in means.items())


def _progress() -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[losses]}"),
    )
    return Progress(*columns, console=Console(stderr=True), refresh_per_second=1)
