"""The detector's network: a small residual pyramid to one stride-8 map of plate centres, boxes and
corners.
"""

import copy
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.training.loop import averaged_weights

INPUT_WIDTH_PX, INPUT_HEIGHT_PX = 640, 384
STRIDE_PX = 8
CHANNELS = (16, 16, 32, 48, 64)
# Batch norm absorbs the rest, so that the export can fold this into the first weights.
INPUT_SCALE = 1 / 64
# A plate warms the cells around its centre, a speckle or a badge less so. These make the exported
# score the probability that a peak is a plate: a logistic fit of logit and log(mean heat of the
# eight neighbours) on 500 newly composed scenes (new seed, the training's photographs), with the
# weights of minute 76.
OWN_HEAT, HEAT_AROUND, OFFSET = 2.58, 1.25, 2.78
# No plate in the input is wider than exp(4.6) = 100 cells = 800 px, and exp stays finite.
MAX_LOG_CELLS = 4.6


def conv(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Conv2d:
    """A bias-free convolution that keeps the grid (batch norm follows and has the bias)."""
    return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)


class ConvUnit(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> None:
        super().__init__(
            conv(inputs, outputs, size, stride), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
        )


class Residual(nn.Module):
    """Two 3x3 convolutions added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvUnit(channels, channels)
        self.second = nn.Sequential(conv(channels, channels), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W in, the same shape out."""
        return functional.relu(x + self.second(self.first(x)))


class Separable(nn.Module):
    """A 3x3 convolution within each channel and a 1x1 across them, added to their input: a fifth of
    a Residual's time (Sifre, 2014).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.within = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, groups=channels, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.across = nn.Sequential(conv(channels, channels, 1), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        """N x C x H x W in, the same shape out.

        The sum comes before the ReLU: onnxruntime then makes one pass of all.
        """
        return functional.relu(x + self.across(self.within(x)))


class Halving(nn.Sequential):
    """Half the resolution, within each channel, then across."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv2d(inputs, inputs, 3, 2, 1, groups=inputs, bias=False),
            nn.BatchNorm2d(inputs),
            ConvUnit(inputs, outputs, size=1),
        )


def separables(channels: int, count: int) -> list[nn.Module]:
    """So many in a row."""
    return [Separable(channels) for _ in range(count)]


class PlateNet(nn.Module):
    """Grey frame in, per stride-8 cell: plate-centre logit, box distances, corner offsets.

    `wide`: the teacher, with full convolutions everywhere; it takes twice the time and never ships.
    The other one is what a camera runs: it learns
    from the teacher (distil.py), because the labels alone take it several times as long.
    Grey, because a camera hands over luminance as it is, night is infrared, and colour cost a sixth
    of the time for no recall.
    forward: uint8 or float N x 1 x H x W, 0..255, H and W multiples of 32. Returns
      heat    N x 1 x H/8 x W/8   logit that a plate's centre lies in the cell
      box     N x 4 x H/8 x W/8   left, top, right, bottom distance from the cell's centre,
                                  in cells, > 0
      corners N x 8 x H/8 x W/8   x, y offset from the cell's centre to top-left, top-right,
                                  bottom-right, bottom-left corner, in cells
    """

    def __init__(self, *, wide: bool = False) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = CHANNELS
        self.stem = ConvUnit(1, c2, stride=2)
        self.to4 = nn.Sequential(ConvUnit(c2, c4, stride=2) if wide else Halving(c2, c4))
        self.to8 = nn.Sequential(
            ConvUnit(c4, c8, stride=2), *([Residual(c8)] if wide else separables(c8, 2))
        )
        self.to16 = nn.Sequential(
            ConvUnit(c8, c16, stride=2), *([Residual(c16)] if wide else separables(c16, 3))
        )
        self.to32 = nn.Sequential(
            ConvUnit(c16, c32, stride=2), *([Residual(c32)] if wide else separables(c32, 3))
        )
        self.lateral32 = nn.Sequential(conv(c32, c16, 1), nn.BatchNorm2d(c16))
        self.lateral16 = nn.Sequential(conv(c16, c8, 1), nn.BatchNorm2d(c8))
        self.join16 = ConvUnit(c16, c16) if wide else nn.Sequential(*separables(c16, 1))
        self.head = ConvUnit(c8, c8) if wide else nn.Sequential(*separables(c8, 2))
        self.out = nn.Conv2d(c8, 13, 1)
        # The usual focal prior: start by calling one cell in a hundred a plate, not half of them.
        nn.init.normal_(self.out.weight, std=0.01)
        bias = torch.zeros(13)
        bias[0] = -4.6
        bias[1:5] = torch.tensor([1.5, 0.6, 1.5, 0.6])
        self.out.bias = nn.Parameter(bias)
        signs = torch.tensor([-1.0, -1, 1, -1, 1, 1, -1, 1]).reshape(1, 8, 1, 1)
        self.register_buffer("corner_signs", signs, persistent=False)
        self.input_scale = INPUT_SCALE

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """See the class."""
        x = x.float()
        if self.input_scale != 1.0:
            x = x * self.input_scale
        p4 = self.to4(self.stem(x))
        p8 = self.to8(p4)
        p16 = self.to16(p8)
        p32 = self.to32(p16)
        up16 = functional.interpolate(self.lateral32(p32), scale_factor=2.0, mode="nearest")
        p16 = self.join16(functional.relu(p16 + up16))
        up8 = functional.interpolate(self.lateral16(p16), scale_factor=2.0, mode="nearest")
        raw = self.out(self.head(functional.relu(p8 + up8)))
        box = raw[:, 1:5].clamp(max=MAX_LOG_CELLS).exp()
        return raw[:, :1], box, self.corners(raw[:, 5:], box.detach())

    def corners(self, raw: Tensor, box: Tensor) -> Tensor:
        """Corner offsets in cells: `raw` moves each corner of the upright box in units of half the
        box's sides.

        Zero means the upright box, at any size, so that the head has only the tilt to learn. The
        box's gradient is cut: pasted plates must not pull the boxes of photographs.
        """
        left, top, right, bottom = box.split(1, dim=1)
        middle = torch.cat([(right - left) / 2, (bottom - top) / 2], dim=1).repeat(1, 4, 1, 1)
        half = torch.cat([(right + left) / 2, (bottom + top) / 2], dim=1).repeat(1, 4, 1, 1)
        return middle + half * (self.corner_signs + raw)


class ShippedNet(nn.Module):
    """PlateNet as exported: uint8 1 x 1 x H x W in; scores instead of logits out."""

    def __init__(self, net: PlateNet) -> None:
        super().__init__()
        self.net = copy.deepcopy(net)
        # Folded: one pass less over the full-resolution picture, 4 % of the time on one thread.
        self.net.stem[0].weight.data *= self.net.input_scale
        self.net.input_scale = 1.0

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Score 0..1 and box: shapes and units as PlateNet's.

        Corners help the training; the aligner finds better ones.
        """
        heat, box, _corners = self.net(frame)
        alone = heat.sigmoid()
        around = (functional.avg_pool2d(alone, 3, stride=1, padding=1) * 9 - alone) / 8
        score = torch.sigmoid(
            OWN_HEAT * heat + HEAT_AROUND * (around.clamp(min=0) + 1e-3).log() + OFFSET
        )
        return score, box


def net_of(checkpoint: Path | None) -> PlateNet:
    """A new network of the kind that the checkpoint is of: the teacher's, or the slim one's; the
    teacher's without a checkpoint.
    """
    weights = averaged_weights(checkpoint) if checkpoint else {}
    return PlateNet(wide="head.0.within.0.weight" not in weights)
