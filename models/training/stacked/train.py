"""Trains the network that reads stacked characters: begun with the recogniser's weights, over the
recogniser's samples, of which most have such characters.

    python -m models.training.reopen recognizer --out ../train/shipped
    python -m models.training.stacked.train --minutes 60 --start ../train/shipped/checkpoint.pt
    --data ../shared/plates --out ../train/stacked

A network of its own, since the recogniser unlearns other plates as it learns these. It is asked
about a plate only after the recogniser, where such characters may have been left out.
"""

import sys

from numpy.random import Generator

from models.training.asking import Defaults, ask
from models.training.feeding import Feeder
from models.training.loop import Training, averaged_weights
from models.training.recognizer.samples import PooledPlate, batches, pooled
from models.training.recognizer.train import losses_of
from models.training.render.plates import draw_plate
from models.training.stacked.net import CROP, build, heightened

DEFAULTS = Defaults("stacked.train", minutes=60.0, rate=1.2e-3, data=None)
STACKED = 0.8  # of the drawn plates; the others keep it from finding such characters everywhere
TALL = 0.35  # of these: three characters, one in twelve among the tables' series


def draw(rng: Generator) -> PooledPlate:
    """A new plate of one row."""
    if rng.random() < STACKED:
        tall = rng.random() < TALL
        return pooled(draw_plate(rng, region="us", channels=1, stacked=True, tall=tall))
    return pooled(draw_plate(rng, channels=1))


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    net = build()
    if asked.start:
        net.load_state_dict(heightened(averaged_weights(asked.start)))
    training = Training(net, asked.plan)
    seed = asked.plan.seed + training.step  # another one after each interruption
    feeder = Feeder(lambda _share: batches(seed, lambda: 1.0, asked.data, draw, CROP))
    training.run(feeder, losses_of)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
