"""Trains the recogniser while one process draws samples for it; can be stopped and taken up again.

    python -m models.training.recognizer.train --minutes 150 --out ../train/recognizer [--data
    ../shared/plates]
    python -m models.training.recognizer.train --minutes 30 --out ../train/recognizer --start
    other/checkpoint.pt

Clean samples come first and spoiled ones are phased in: with spoiled ones from the start the loss
stays near 3.6 for 65,000 samples. `--start` takes weights over and begins with spoiled samples at
once. `--teacher` names weights whose right readings are to stay as they are (keeping.py).
"""

import sys
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from models.training.asking import Asked, Defaults, ask, begin
from models.training.feeding import Feeder
from models.training.loop import Losses, Training, short_floats
from models.training.recognizer.keeping import kept, teacher_of
from models.training.recognizer.net import Recognizer, standardised
from models.training.recognizer.samples import NO_REGION, Batch, batches

DEFAULTS = Defaults("recognizer.train", minutes=150.0, rate=2e-3, data=None)
REGION_WEIGHT = 0.05
Counted = Callable[[Tensor, Batch], Tensor]  # how much each of N samples counts
CLEAN_SHARE, PHASED_SHARE = 0.05, 0.15  # of the minutes: clean only; until everything is spoiled


def all_alike(crops: Tensor, _batch: Batch) -> Tensor:
    """As Counted: every sample counts the same."""
    return torch.ones(len(crops), device=crops.device)


def losses_of(
    net: Recognizer,
    batch: Batch,
    teacher: Recognizer | None = None,
    counted: Counted = all_alike,
) -> Losses:
    """CTC over the characters, with a little of the region's cross-entropy; and what the teacher
    reads right, where there is one.
    """
    place = next(net.parameters()).device
    crops = torch.from_numpy(batch.crops).to(place)[:, None].float()
    crops = standardised(crops).contiguous(memory_format=torch.channels_last)
    with short_floats(place):
        characters, regions = net(crops)
    characters = characters.float().log_softmax(2)
    steps = torch.full((len(batch.lengths),), characters.shape[1])
    lengths = torch.from_numpy(batch.lengths)
    texts: Tensor = nn.functional.ctc_loss(
        characters.transpose(0, 1),
        torch.from_numpy(batch.texts).to(place),
        steps,
        lengths,
        reduction="none",
        zero_infinity=True,
    )
    counts = counted(crops, batch)
    by_character = texts / lengths.clamp(min=1).to(place)
    text = (by_character * counts).sum() / counts.sum()
    region = nn.functional.cross_entropy(
        regions.float(), torch.from_numpy(batch.regions).to(place), ignore_index=NO_REGION
    )
    losses = {"text": text, "region": REGION_WEIGHT * region}
    return losses | {"kept": kept(teacher, characters, crops, batch)} if teacher else losses


def hardness_at(share: float) -> float:
    """0 clean – 1 everything, for the share of the time that is spent."""
    return min(1.0, max(0.05, (share - CLEAN_SHARE) / PHASED_SHARE))


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    learn(ask(arguments, __doc__ or "", DEFAULTS), Recognizer())


def learn(asked: Asked, net: Recognizer) -> None:
    """Train that network, or go on."""
    begin(net, asked.start)
    training = Training(net, asked.plan)
    # Another seed after each interruption, or the same samples would come again.
    seed = asked.plan.seed + training.step
    feeder = Feeder(
        lambda share: batches(
            seed, lambda: 1.0 if asked.start else hardness_at(share()), asked.data
        ),
        share=training.share,
    )
    teacher = teacher_of(asked.teacher, training.device) if asked.teacher else None
    training.run(feeder, partial(losses_of, teacher=teacher), feeder.tell)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
