"""Teaches the convolutions of the network of whole plates to see what stands before a plate: where
it is, by cells, and whether it hides characters.

    python -m models.training.whole.see SAMPLES... [--minutes 40] [--seed 1] [--rate 1e-3]
    [--further models/wholeness.onnx] [--out ../train/seen]

SAMPLES: of `models.training.whole.samples`, of which only the pictures of whole plates are used.
Then `python -m models.training.whole.train`, with `--eyes`.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from models.training.aligner.net import LAYERS
from models.training.feeding import Feeder
from models.training.loop import Losses, Plan, Training, short_floats
from models.training.whole.net import CELLS, KEPT, NARROWED, WholeNet
from models.training.whole.pictures import UNKNOWN, Lesson, lessons
from models.training.whole.samples import WHOLE, load
from models.training.whole.train import network

SHIPPED = Path(__file__).parents[2] / "wholeness.onnx"
FINE_CHANNELS = LAYERS[KEPT - 1][0]


class Seer(nn.Module):
    """The network's convolutions, and what only the lessons ask of them."""

    def __init__(self, net: WholeNet) -> None:
        super().__init__()
        self.first, self.then = net.first, net.then
        self.first.requires_grad_(requires_grad=True)
        self.fine = nn.Conv2d(FINE_CHANNELS, 1, 1)
        self.coarse = nn.Conv2d(NARROWED, 1, 1)
        self.hides = nn.Linear(NARROWED * (CELLS + 2), 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """N×1×96×192 → logits N×12×24, N×6×12, N."""
        fine = self.first(pictures)
        coarse = self.then(fine)
        pooled = [coarse.flatten(1), coarse.amax((2, 3)), coarse.mean((2, 3))]
        hides = self.hides(torch.cat(pooled, 1))
        return self.fine(fine)[:, 0], self.coarse(coarse)[:, 0], hides[:, 0]


def losses_of(net: nn.Module, lesson: Lesson) -> Losses:
    """Cross-entropies of all three."""
    place = next(net.parameters()).device
    with short_floats(place):
        answers = net(torch.from_numpy(lesson.pictures).to(place))
    wanted = [torch.from_numpy(one).to(place) for one in (lesson.fine, lesson.coarse, lesson.hides)]
    known = (wanted[2] != UNKNOWN).float()
    each = [
        nn.functional.binary_cross_entropy_with_logits(
            answer.float(), one.clamp(min=0), reduction="none"
        )
        for answer, one in zip(answers, wanted, strict=True)
    ]
    return {"fine": each[0].mean(), "coarse": each[1].mean(), "hides": (each[2] * known).mean()}


def main(arguments: list[str] | None = None) -> None:
    """Begin with the file's convolutions, train, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("samples", type=Path, nargs="+")
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--further", type=Path, default=SHIPPED, help="whose convolutions begin")
    parser.add_argument("--out", type=Path, default=Path("../train/seen"))
    given = parser.parse_args(arguments)
    samples = load(given.samples)
    whole = samples.around[samples.kind == WHOLE]
    torch.manual_seed(given.seed)
    torch.set_num_threads(1)
    command = (
        f"python -m models.training.whole.see SAMPLES --minutes {given.minutes:g} --seed "
        f"{given.seed} --rate {given.rate:g}"
    )
    training = Training(
        Seer(network(given.further)),
        Plan(given.out, given.minutes, given.seed, given.rate, command),
    )
    seed = given.seed + training.step
    feeder = Feeder(lambda _share: lessons(seed, whole))
    training.run(feeder, losses_of)
    feeder.close()


if __name__ == "__main__":
    main()
