"""Trains the recogniser's last layer alone, and leaves its features as they are: what these tell
apart already, but the answer does not, is learnt in minutes, and hardly anything is unlearnt.

    python -m models.training.recognizer.mend --start ../train/shipped/checkpoint.pt --minutes 12
    --teacher ../train/shipped/checkpoint.pt --data ../shared/plates --out ../train/mended

wholeness.onnx, which is given the features, stays as good as it was.
"""

import sys

from models.training.asking import Defaults, ask
from models.training.recognizer.net import Recognizer
from models.training.recognizer.train import learn

DEFAULTS = Defaults("recognizer.mend", minutes=12.0, rate=1e-3, data=None)


class LastLayer(Recognizer):
    """The same network, of which only `characters` learns: batch norm too stays as it is."""

    def __init__(self) -> None:
        super().__init__()
        for part in (self.trunk, self.context, self.region):
            part.requires_grad_(requires_grad=False)

    def train(self, mode: bool = True) -> "LastLayer":  # noqa: FBT001, FBT002 – PyTorch's own
        """As nn.Module.train."""
        super().train(mode)
        self.trunk.eval()
        self.context.eval()
        return self


def main(arguments: list[str]) -> None:
    """Train, or go on training."""
    asked = ask(arguments, __doc__ or "", DEFAULTS)
    if not asked.start:
        message = "--start: name the checkpoint whose last layer is to be mended"
        raise SystemExit(message)
    learn(asked, LastLayer())


if __name__ == "__main__":
    main(sys.argv[1:])
