"""Trains the network that reads again what the recogniser does not read surely.

    python -m models.training.reopen recognizer --out ../train/shipped
    python -m models.training.reviewer.train --minutes 60 --start ../train/shipped/checkpoint.pt
    --teacher ../train/shipped/checkpoint.pt --data ../shared/plates --out ../train/reviewer

The teacher is the recogniser that ships. It teaches nothing here: what it reads surely and rightly
counts little, because nobody will ask the reviewer about it (boosting: Schapire, The strength of
weak learnability, 1990).
"""

import sys
from functools import partial

import torch
from torch import Tensor

from agent.vision.plate_views import SURE
from models.training.asking import Defaults, ask, begin
from models.training.feeding import Feeder
from models.training.loop import Training, short_floats
from models.training.recognizer.keeping import read_right, teacher_of
from models.training.recognizer.net import Recognizer
from models.training.recognizer.samples import Batch, batches
from models.training.recognizer.train import losses_of

DEFAULTS = Defaults("reviewer.train", minutes=60.0, rate=1e-3, data=None)
CLEAR_COUNTS = 0.15  # of what is in doubt: so little that it is not unlearnt


def counts_of(recogniser: Recognizer, crops: Tensor, batch: Batch) -> Tensor:
    """How much each of N samples counts: 1 where the recogniser is in doubt of it, or wrong."""
    with torch.no_grad(), short_floats(crops.device):
        steps, _region = recogniser(crops)
    chances, likeliest = steps.float().softmax(2).max(2)
    clear = (chances.prod(1) >= SURE) & read_right(likeliest, batch)
    return torch.where(clear, CLEAR_COUNTS, 1.0)


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    if not asked.teacher:
        message = "--teacher: name a checkpoint of the recogniser that ships"
        raise SystemExit(message)
    net = Recognizer()
    begin(net, asked.start)
    training = Training(net, asked.plan)
    seed = asked.plan.seed + training.step  # another one after each interruption
    feeder = Feeder(lambda _share: batches(seed, lambda: 1.0, asked.data))
    recogniser = teacher_of(asked.teacher, training.device)
    training.run(feeder, partial(losses_of, counted=partial(counts_of, recogniser)), feeder.tell)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
