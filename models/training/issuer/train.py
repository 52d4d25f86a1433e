"""Trains the reader of small print while one process draws strips for it; can be stopped and taken
up again.

    python -m models.training.issuer.train --minutes 40 --out ../train/issuer [--start CHECKPOINT]

Without `--start` it begins with what models/recognizer.onnx knows of letters. Only drawn strips: no
photograph names its state and may be trained on. Clean ones come first.
"""

import sys
from itertools import islice
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from models.training.asking import Defaults, ask, begin
from models.training.feeding import Feeder
from models.training.issuer.net import StripReader
from models.training.issuer.samples import Batch, batches
from models.training.loop import Losses, Training, short_floats
from models.training.recognizer.net import standardised

RECOGNIZER = Path(__file__).parents[2] / "recognizer.onnx"
STATISTICS_SEED = 17
DEFAULTS = Defaults("issuer.train", minutes=40.0, rate=1e-3, data=None)
PLACES_WEIGHT = 0.3
CLEAN_SHARE, PHASED_SHARE = 0.0, 0.15  # of the minutes: clean only; until everything is spoiled


def losses_of(net: StripReader, batch: Batch) -> Losses:
    """CTC over the letters, and where they stand."""
    place = next(net.parameters()).device
    strips = torch.from_numpy(batch.strips).to(place)[:, None].float()
    with short_floats(place):
        letters = net(standardised(strips).contiguous(memory_format=torch.channels_last))
    letters = letters.float().log_softmax(2)
    text = nn.functional.ctc_loss(
        letters.transpose(0, 1),
        torch.from_numpy(batch.texts).to(place),
        torch.full((len(batch.lengths),), letters.shape[1]),
        torch.from_numpy(batch.lengths),
        zero_infinity=True,
        reduction="none",
    )
    # By letter; an empty strip counts as one of four.
    lengths = torch.from_numpy(batch.lengths).to(place).clamp(min=4)
    return {"text": (text / lengths).mean(), "places": PLACES_WEIGHT * places_loss(letters, batch)}


def places_loss(letters: Tensor, batch: Batch) -> Tensor:
    """Cross-entropy of each letter at the step where it was drawn.

    CTC alone is free to find out where letters stand, and needs some hundred thousand strips to.
    """
    place, steps = letters.device, letters.shape[1]
    strip = torch.repeat_interleave(torch.from_numpy(batch.lengths))
    step = torch.from_numpy(batch.places * (steps / batch.strips.shape[2])).long()
    inside = (step >= 0) & (step < steps)
    chosen = letters[strip[inside].to(place), step[inside].to(place)]
    return nn.functional.nll_loss(chosen, torch.from_numpy(batch.texts)[inside].to(place))


def some_strips() -> Tensor:
    """Standardised ones, on which the recogniser's norms are measured."""
    drawn = batches(STATISTICS_SEED, lambda: 0.7)
    return standardised(
        torch.cat([torch.from_numpy(one.strips)[:, None].float() for one in islice(drawn, 8)])
    )


def hardness_at(share: float) -> float:
    """0 clean – 1 everything, for the share of the time that is spent."""
    return min(1.0, max(0.05, (share - CLEAN_SHARE) / PHASED_SHARE))


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    net = StripReader()
    if not asked.start:
        net.begin_with(onnx.load(RECOGNIZER), some_strips())
    begin(net, asked.start)
    training = Training(net, asked.plan)
    # Another seed after each interruption, or the same samples would come again.
    seed = asked.plan.seed + training.step
    feeder = Feeder(
        lambda share: batches(seed, lambda: 1.0 if asked.start else hardness_at(share())),
        share=training.share,
    )
    training.run(feeder, losses_of, feeder.tell)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
