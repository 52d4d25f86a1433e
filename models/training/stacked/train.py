"""Trains the reader of plates with stacked characters: the recogniser's network, begun with its
weights, over samples of which most have such characters.

    python -m models.training.reopen recognizer --out ../train/shipped
    python -m models.training.stacked.train --minutes 60 --start ../train/shipped/checkpoint.pt
    --data ../shared/plates --out ../train/stacked

A network of its own, since the recogniser unlearns other plates as it learns these. It is asked
about a plate only after the recogniser, where such characters may have been left out.
"""

import sys

from models.training.asking import Defaults, ask, begin
from models.training.feeding import Feeder
from models.training.loop import Training
from models.training.recognizer.net import Recognizer
from models.training.recognizer.samples import batches
from models.training.recognizer.train import losses_of

DEFAULTS = Defaults("stacked.train", minutes=60.0, rate=1.2e-3, data=None)
STACKED = 0.8  # of the drawn plates; the others keep it from finding such characters everywhere


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    net = Recognizer()
    begin(net, asked.start)
    training = Training(net, asked.plan)
    seed = asked.plan.seed + training.step  # another one after each interruption
    feeder = Feeder(
        lambda _share: batches(seed, lambda: 1.0, asked.data, STACKED), share=training.share
    )
    training.run(feeder, losses_of, feeder.tell)
    feeder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
