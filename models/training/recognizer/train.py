"""Trains the recogniser on one CPU core while one process draws samples for it; can be stopped and taken up again.

    python -m models.training.recognizer.train --minutes 60 --out ../train/recognizer [--data ../shared/plates]
    python -m models.training.recognizer.train --minutes 30 --out ../train/recognizer --start other/checkpoint.pt

Clean samples come first and spoiled ones are phased in: with spoiled ones from the start the loss stays near 3.6 for
65,000 samples. `--start` takes weights over and begins with spoiled samples at once. A checkpoint every two minutes;
the same command again goes on from it.
"""

import argparse
import math
import multiprocessing
import multiprocessing.queues
import multiprocessing.sharedctypes
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import torch
from torch import Tensor, nn

from models.training.data_guard import refuse_measure_only
from models.training.recognizer.net import Recognizer, standardised
from models.training.recognizer.samples import Batch, batches

AVERAGING = 0.997  # of the weights' running mean, which is what gets exported
REGION_WEIGHT = 0.05
CHECKPOINT_EVERY_S = 120
REPORT_EVERY_S = 60
WARM_UP_STEPS = 100
CLEAN_SHARE, PHASED_SHARE = 0.05, 0.15  # of the minutes: clean only; until everything is spoiled


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run was asked for. Rates are AdamW's; minutes are wall time."""

    minutes: float
    out: Path
    data: Path | None
    start: Path | None
    seed: int
    rate: float


def feed(queue, hardness, seed: int, data: Path | None) -> None:
    """The drawing process."""
    cv2.setNumThreads(0)
    for batch in batches(seed, hardness, data):
        queue.put(batch)


def loss_of(net: Recognizer, batch: Batch) -> Tensor:
    """CTC, with a little of the region's cross-entropy."""
    crops = standardised(torch.from_numpy(batch.crops)[:, None].float()).contiguous(memory_format=torch.channels_last)
    characters, regions = net(crops)
    characters = characters.log_softmax(2)
    steps = torch.full((len(batch.lengths),), characters.shape[1])
    lengths = torch.from_numpy(batch.lengths)
    ctc = nn.functional.ctc_loss(characters.transpose(0, 1), torch.from_numpy(batch.texts), steps, lengths, zero_infinity=True)
    return ctc + REGION_WEIGHT * nn.functional.cross_entropy(regions, torch.from_numpy(batch.regions))


class Training:
    """Network, optimiser, running mean and time spent: everything that a checkpoint holds."""

    def __init__(self, plan: Plan) -> None:
        torch.manual_seed(plan.seed)
        self.plan = plan
        self.net = Recognizer().to(memory_format=torch.channels_last)
        self.checkpoint = plan.out / "checkpoint.pt"
        self.step, self.minutes, self.taken_over = 0, 0.0, plan.start is not None
        if plan.start and not self.checkpoint.exists():
            self.net.load_state_dict(torch.load(plan.start, map_location="cpu", weights_only=True)["averaged"], strict=False)
        self.optimiser = torch.optim.AdamW(self.net.parameters(), plan.rate, weight_decay=1e-2)
        self.averaged = {name: value.clone() for name, value in self.net.state_dict().items()}
        if self.checkpoint.exists():
            self.resume()

    def resume(self) -> None:
        """Take up the last checkpoint."""
        saved = torch.load(self.checkpoint, map_location="cpu", weights_only=True)
        self.net.load_state_dict(saved["net"])
        self.optimiser.load_state_dict(saved["optimiser"])
        self.averaged = saved["averaged"]
        self.step, self.minutes = saved["step"], saved["minutes"]

    def save(self) -> None:
        """Write the checkpoint, never half of it."""
        state = {"net": self.net.state_dict(), "averaged": self.averaged, "optimiser": self.optimiser.state_dict(), "step": self.step, "minutes": self.minutes}
        partial = self.checkpoint.with_suffix(".part")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def hardness(self) -> float:
        """0 clean – 1 everything, for the present minute."""
        if self.taken_over:
            return 1.0
        share = self.minutes / self.plan.minutes
        return min(1.0, max(0.05, (share - CLEAN_SHARE) / PHASED_SHARE))

    def rate(self) -> float:
        """Cosine over the minutes, after a warm-up."""
        share = min(1.0, self.minutes / self.plan.minutes)
        return self.plan.rate * min(1.0, (self.step + 1) / WARM_UP_STEPS) * (0.5 * (1 + math.cos(math.pi * share)) + 0.002)

    def learn(self, batch: Batch) -> float:
        """One step; returns its loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self.rate()
        loss = loss_of(self.net, batch)
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), 5.0)
        self.optimiser.step()
        self.step += 1
        keep = min(AVERAGING, self.step / (self.step + 20))
        for name, value in self.net.state_dict().items():
            mean = self.averaged[name]
            if mean.dtype.is_floating_point:
                mean.lerp_(value, 1 - keep)
            else:
                mean.copy_(value)
        return loss.item()


def run(plan: Plan) -> None:
    """Train until the minutes are used up."""
    plan.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    training = Training(plan)
    context = multiprocessing.get_context("fork")
    hardness, queue = context.Value("d", training.hardness()), context.Queue(24)
    # Another seed after each interruption, or the same samples would come again.
    worker = context.Process(target=feed, args=(queue, hardness, plan.seed + training.step, plan.data), daemon=True)
    worker.start()
    start, before = time.monotonic(), training.minutes
    reported = saved = start
    losses: list[float] = []
    while training.minutes < plan.minutes:
        hardness.value = training.hardness()
        losses.append(training.learn(queue.get(timeout=300)))
        now = time.monotonic()
        training.minutes = before + (now - start) / 60
        if now - reported > REPORT_EVERY_S:
            mean = sum(losses) / len(losses)
            print(f"{training.minutes:.1f} min, step {training.step}, loss {mean:.3f}, hardness {hardness.value:.2f}, waiting {queue.qsize()}", flush=True)
            reported, losses = now, []
        if now - saved > CHECKPOINT_EVERY_S:
            training.save()
            saved = now
    training.save()
    worker.terminate()


def main() -> None:
    """Parse the arguments and train."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--out", type=Path, default=Path("../train/recognizer"))
    parser.add_argument("--data", type=Path, help="folder of train.jsonl, for the real plates; none by default")
    parser.add_argument("--start", type=Path, help="a checkpoint whose weights to begin with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=2e-3)
    given = parser.parse_args()
    data = refuse_measure_only(given.data) if given.data else None
    run(Plan(given.minutes, refuse_measure_only(given.out), data, given.start, given.seed, given.rate))


if __name__ == "__main__":
    main()
