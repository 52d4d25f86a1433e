"""The aligner's network: convolutions down to 4×6 cells, then two dense layers to corners and
chances.

Input N×1×64×96, grey, each crop standardised: a proposal's box with its surroundings
(agent/vision/aligner.py). About 9 MMAC.
"""

import torch
from torch import Tensor, nn

from agent.vision.aligner import AROUND_X, AROUND_Y, INPUT_HEIGHT_PX, INPUT_WIDTH_PX

# Output channels and stride of each 3×3 convolution.
LAYERS = ((16, 2), (32, 2), (32, 1), (48, 2), (64, 1), (64, 2))
SQUEEZED, HIDDEN = 32, 96
OUTPUTS = 10  # four corners, x and y; is it a plate; has it two rows


class Aligner(nn.Module):
    """crops N×1×64×96 → corners N×8 (shares of the crop; top left first, clockwise), logits N×2
    (plate, two rows).
    """

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
            nn.Conv2d(channels, SQUEEZED, 1, bias=False),
            nn.BatchNorm2d(SQUEEZED),
            nn.ReLU(),
        ]
        self.trunk = nn.Sequential(*layers)
        cells = INPUT_HEIGHT_PX // 16 * (INPUT_WIDTH_PX // 16)
        self.head = nn.Sequential(
            nn.Linear(SQUEEZED * cells, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, OUTPUTS)
        )
        nn.init.normal_(self.head[2].weight, std=0.01)
        left, top = AROUND_X / (1 + 2 * AROUND_X), AROUND_Y / (1 + 2 * AROUND_Y)
        box = torch.tensor([left, top, 1 - left, top, 1 - left, 1 - top, left, 1 - top])
        # The box of the answer zero: the proposal's own.
        self.register_buffer("box", box, persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        raw = self.head(self.trunk(crops).flatten(1))
        return self.box + raw[:, :8], raw[:, 8:]


class ShippedAligner(nn.Module):
    """As exported: chances 0–1 instead of logits."""

    def __init__(self, net: Aligner) -> None:
        super().__init__()
        self.net = net

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        corners, logits = self.net(crops)
        return corners, logits.sigmoid()
