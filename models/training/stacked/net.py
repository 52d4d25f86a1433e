"""The network that reads stacked characters: the recogniser's over a higher crop, N×1×72×128.

In the recogniser's 48 px one of three characters is nine px high.
"""

import torch
from torch import Tensor

from models.training.exporting import Shipped
from models.training.recognizer import export as recognizer_export
from models.training.recognizer.net import Recognizer
from models.training.render.degrade import Crop

CROP = Crop(width=128, height=72)
ROWS = 5  # as recognizer.net.ROWS
LAST = "trunk.21.weight"  # the convolution over all rows that are left


def build() -> Recognizer:
    """Untrained."""
    return Recognizer(ROWS)


def as_shipped(net: Recognizer) -> Shipped:
    """Input `crop` N×1×72×128; outputs as the recogniser's."""
    return recognizer_export.as_shipped(net, CROP)


def heightened(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The recogniser's weights, its last convolution drawn out to as many rows as this has; those
    of this network as they are.
    """
    last = weights[LAST]
    count, channels, rows, _ = last.shape
    drawn = torch.nn.functional.interpolate(
        last.reshape(1, count * channels, rows), size=ROWS, mode="linear", align_corners=True
    )
    return weights | {LAST: drawn.reshape(count, channels, ROWS, 1) * (rows / ROWS)}
