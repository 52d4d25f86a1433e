"""The network that reads small print: plain 3×3 convolutions down to one row, then CTC.

Input N×1×32×192, grey, each strip standardised as the recogniser's crops are. Output N×96×27,
logits: 0 is the CTC blank, then A–Z.
"""

from torch import Tensor, nn

from agent.vision.issuer.strips import STRIP_HEIGHT_PX, STRIP_WIDTH_PX
from models.training.issuer.prints import LETTERS
from models.training.render.degrade import Crop

STRIP = Crop(width=STRIP_WIDTH_PX, height=STRIP_HEIGHT_PX)
CLASSES = len(LETTERS) + 1
# Output channels and stride of each convolution; (2, 1) halves the height only.
LAYERS = ((16, (2, 2)), (20, (1, 1)), (40, (2, 1)), (48, (2, 1)), (64, (2, 1)))
CONTEXT = 96


class StripReader(nn.Module):
    """0.16 M weights, about 33 MMAC a strip."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 1
        for wider, stride in LAYERS:
            layers += [
                nn.Conv2d(channels, wider, 3, stride, 1, bias=False),
                nn.BatchNorm2d(wider),
                nn.ReLU(),
            ]
            channels = wider
        layers += [
            nn.Conv2d(channels, CONTEXT, (2, 1), bias=False),
            nn.BatchNorm2d(CONTEXT),
            nn.ReLU(),
        ]
        self.trunk = nn.Sequential(*layers)
        self.context = nn.Sequential(
            nn.Conv1d(CONTEXT, CONTEXT, 5, 1, 2, bias=False),
            nn.BatchNorm1d(CONTEXT),
            nn.ReLU(),
            nn.Conv1d(CONTEXT, CONTEXT, 5, 1, 4, 2, bias=False),
            nn.BatchNorm1d(CONTEXT),
            nn.ReLU(),
        )
        self.letters = nn.Conv1d(CONTEXT, CLASSES, 1)

    def forward(self, strips: Tensor) -> Tensor:
        """See the module's docstring for shapes."""
        features = self.context(self.trunk(strips).squeeze(2))
        return self.letters(features).permute(0, 2, 1)
