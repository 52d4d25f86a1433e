"""Trains the aligner while one process composes scenes for it; can be stopped and taken up again.

    python -m models.training.aligner.train --minutes 35 --out ../train/aligner --cache
    ../train/detector [--data ../shared/plates]

`--cache` holds the detector's decoded photographs and rendered signs; they are made when missing.
"""

import sys

import torch
from torch import Tensor
from torch.nn import functional

from models.training.aligner.net import Aligner
from models.training.aligner.samples import batches
from models.training.asking import Defaults, ask, begin
from models.training.detector import banks, photographs
from models.training.feeding import Feeder
from models.training.loop import Losses, Training

DEFAULTS = Defaults("aligner.train", minutes=35.0, rate=2e-3)
CORNERS_WEIGHT, HULL_WEIGHT = 4.0, 2.0
# Share of the plate's sides. Errors below count squared, so that noise in the labels does not pull.
BEND = 0.03


def known_only(loss: Tensor, known: Tensor) -> Tensor:
    """Mean over the samples where the truth is known."""
    return (loss * known).sum() / known.sum().clamp(min=1)


def edges_of(corners: Tensor) -> Tensor:
    """N×8 corners to N×4 edges: left, top, right, bottom, each the mean of its two corners."""
    x, y = corners[:, 0::2], corners[:, 1::2]
    return torch.stack(
        [x[:, [0, 3]].mean(1), y[:, [0, 1]].mean(1), x[:, [1, 2]].mean(1), y[:, [2, 3]].mean(1)], 1
    )


def losses_of(net: Aligner, arrays: dict) -> Losses:
    """Corners as shares of the plate's sides; edges where only the hull is known; plate or not; two
    rows or one.
    """
    place = next(net.parameters()).device
    batch = {name: torch.from_numpy(value).to(place) for name, value in arrays.items()}
    corners, logits = net(batch["crop"][:, None])
    hull = torch.nan_to_num(batch["hull"], nan=0.5)
    size = torch.cat([hull[:, 2:] - hull[:, :2]] * 4, 1).clamp(min=0.05)
    known = torch.isfinite(batch["corners"]).all(1).float()
    only_hull = torch.isfinite(batch["hull"]).all(1).float() * (1 - known)
    far = functional.smooth_l1_loss(
        corners / size, torch.nan_to_num(batch["corners"]) / size, reduction="none", beta=BEND
    ).mean(1)
    edge = functional.smooth_l1_loss(
        edges_of(corners) / size[:, :4], hull / size[:, :4], reduction="none", beta=BEND
    ).mean(1)
    rows = functional.binary_cross_entropy_with_logits(
        logits[:, 1], torch.nan_to_num(batch["rows"]), reduction="none"
    )
    return {
        "corners": CORNERS_WEIGHT * known_only(far, known),
        "hulls": HULL_WEIGHT * known_only(edge, only_hull),
        "plate": functional.binary_cross_entropy_with_logits(logits[:, 0], batch["plate"]),
        "rows": known_only(rows, torch.isfinite(batch["rows"]).float()),
    }


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    photographs.load(asked.data, asked.cache)
    banks.load(asked.cache)
    net = Aligner()
    begin(net, asked.start)
    training = Training(net, asked.plan)
    feeder = Feeder(
        lambda _share: batches(asked.plan.seed + training.step, asked.data, asked.cache), depth=8
    )
    training.run(feeder, losses_of)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
