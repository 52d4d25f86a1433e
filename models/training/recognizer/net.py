"""The recogniser's network: plain 3×3 convolutions down to one row, then CTC, with a region guess
on the side.

Input N×1×48×128, grey, each crop standardised (see `standardised`), so that a dark plate looks like
a bright one. Output: characters N×32×37, logits (0 is the CTC blank, then 0–9, A–Z); region N×4,
logits in the order of REGIONS.
"""

from torch import Tensor, nn

from models.training.render.degrade import Crop
from models.training.render.syntax import CHARACTERS, REGIONS

CROP = Crop(width=128, height=48)
CLASSES = len(CHARACTERS) + 1
# Output channels and stride of each convolution; (2, 1) halves the height only.
LAYERS = (
    (16, (2, 2)),
    (32, (1, 1)),
    (64, (2, 2)),
    (64, (1, 1)),
    (96, (2, 1)),
    (96, (1, 1)),
    (96, (2, 1)),
)
CONTEXT = 160
ROWS = 3  # of a crop's height that are left before the last convolution: of 72 px 5
CONTRAST_FLOOR = 4.0  # grey levels: a flat crop must not be blown up to pure noise


class Recognizer(nn.Module):
    """0.46 M weights, about 70 MMAC a crop. `rows`: as ROWS."""

    def __init__(self, rows: int = ROWS) -> None:
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
            nn.Conv2d(channels, CONTEXT, (rows, 1), bias=False),
            nn.BatchNorm2d(CONTEXT),
            nn.ReLU(),
        ]
        self.trunk = nn.Sequential(*layers)
        self.context = nn.Sequential(
            nn.Conv1d(CONTEXT, CONTEXT, 5, 1, 2, bias=False), nn.BatchNorm1d(CONTEXT), nn.ReLU()
        )
        self.characters = nn.Conv1d(CONTEXT, CLASSES, 1)
        self.region = nn.Linear(CONTEXT, len(REGIONS))

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the module's docstring for shapes."""
        return self.answers(self.features(crops))

    def features(self, crops: Tensor) -> Tensor:
        """What both answers are computed of, N×160×32."""
        return self.context(self.trunk(crops).squeeze(2))

    def answers(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Characters and region."""
        return self.characters(features).permute(0, 2, 1), self.region(features.mean(2))


class ShippedRecognizer(nn.Module):
    """As exported: with the features, by which a plate is also held to be whole."""

    def __init__(self, net: Recognizer) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See Recognizer."""
        features = self.net.features(crops)
        return *self.net.answers(features), features


def standardised(crops: Tensor) -> Tensor:
    """Grey 0–255 to mean 0, standard deviation 1, crop by crop; as agent/vision/recognizer.py does
    it.
    """
    mean = crops.mean((2, 3), keepdim=True)
    spread = (crops - mean).square().mean((2, 3), keepdim=True).sqrt()
    return (crops - mean) / (spread + CONTRAST_FLOOR)
