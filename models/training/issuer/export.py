"""Writes models/issuer.onnx from a checkpoint, and checks it against PyTorch.

    python -m models.training.issuer.export ../train/issuer/checkpoint.pt [--threshold 0.3]

Then `python -m models.training.manifest`. `--threshold`: the share from which on a line names its
state (agent/vision/issuer/closed_list.py); `models.training.issuer.choose` shows what it costs.
Weights are kept as 8-bit numbers, each filter with a scale of its own, which makes the file a
quarter as large. They are widened once, when it is loaded, and the network computes with 32-bit
floats.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import Tensor, nn

from agent.vision.issuer.closed_list import LETTERS
from models.training.exporting import Narrow, Shipped, export, fused, narrowed, noise_crops
from models.training.issuer.net import STRIP, StripReader
from models.training.loop import averaged_weights

PURPOSE = "reads the small print of one plate, which may name the issuing state"
TARGET = Path(__file__).parents[2] / "issuer.onnx"
Map = NDArray[np.float32]
LARGEST = 127
MATRIX = 2  # axes from which on weights are many
THRESHOLD = 0.3  # chosen on part `tune` of us_crops_dev


class ShippedStripReader(nn.Module):
    """As exported: its answers in a row, of which there is one."""

    def __init__(self, net: StripReader) -> None:
        super().__init__()
        self.net = net

    def forward(self, strips: Tensor) -> tuple[Tensor]:
        """See StripReader."""
        return (self.net(strips),)


def load(checkpoint: Path) -> StripReader:
    """The network as it was trained."""
    net = StripReader().eval()
    net.load_state_dict(averaged_weights(checkpoint))
    return net


def shipped(checkpoint: Path) -> Shipped:
    """As it will run: norms inside the convolutions, weights rounded to 8 bits. Input `strips`
    N×1×48×192, output `logits` N×48×27; N is free.
    """
    net = fused(ShippedStripReader(load(checkpoint)))
    with torch.no_grad():
        for weights in net.parameters():
            if weights.ndim >= MATRIX:
                steps, scale = rounded(weights.numpy())
                weights.copy_(torch.from_numpy(steps * scale))
    return Shipped(
        net,
        "strips",
        ("logits",),
        {key: {0: "strips"} for key in ("strips", "logits")},
        noise_crops(STRIP.height, STRIP.width),
    )


def rounded(weights: Map) -> tuple[NDArray[np.int8], Map]:
    """Whole numbers from -127 to 127, and the size of their step for each output channel."""
    others = tuple(range(1, weights.ndim))
    scale = np.maximum(np.abs(weights).max(axis=others, keepdims=True) / LARGEST, 1e-12)
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def packed(model: bytes) -> bytes:
    """The same network with its filters as 8-bit numbers.

    Cast and multiplied, and not by DequantizeLinear: onnxruntime leaves that to every run.
    """
    return narrowed(model, _eight_bits)


def _eight_bits(value: onnx.TensorProto) -> Narrow | None:
    weights = numpy_helper.to_array(value)
    if weights.dtype != np.float32 or weights.ndim < MATRIX:
        return None
    steps, scale = rounded(weights)
    small, step, cast = (value.name + end for end in ("_8", "_step", "_wide"))
    return [numpy_helper.from_array(steps, small), numpy_helper.from_array(scale, step)], [
        helper.make_node("Cast", [small], [cast], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [cast, step], [value.name]),
    ]


def main() -> None:
    """Export, check, describe, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--threshold", type=float, default=THRESHOLD)
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    export(
        shipped(given.checkpoint),
        given.checkpoint,
        given.to,
        purpose=PURPOSE,
        classes=["blank", *LETTERS],
        threshold=given.threshold,
        packed=packed,
    )


if __name__ == "__main__":
    main()
