"""Writes models/wholeness.onnx from a checkpoint, and checks it against PyTorch.

    python -m models.training.whole.export ../train/whole/checkpoint.pt [--limits 1.5 -2 -1.5]

Then `python -m models.training.manifest`. `--limits`: of each of the three answers the logit
from which a plate is not whole; `models.training.whole.choose` shows what the first costs.
Weights are kept as 16-bit floats, which halves the file; the network computes with 32.
"""

import argparse
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from agent.vision.whole.wholeness import AROUND_HEIGHT_PX, AROUND_WIDTH_PX, SIGNS
from models.training.exporting import OPSET, write
from models.training.halving import packed, rounded
from models.training.loop import averaged_weights, command_of
from models.training.manifest import describe, digest
from models.training.recognizer.net import CONTEXT, CROP
from models.training.whole.net import WholeNet

INPUTS = {
    "around": (1, AROUND_HEIGHT_PX, AROUND_WIDTH_PX),
    "features": (CONTEXT, CROP.width // 4),
    "signs": (len(SIGNS),),
}
PURPOSE = "says whether a whole plate was seen, or a part of it is hidden or was left out"
CLASSES = ["hidden", "stacked", "row of two"]
TARGET = Path(__file__).parents[2] / "wholeness.onnx"
RECOGNIZER = TARGET.with_name("recognizer.onnx")
BESIDE = "on the features of recognizer.onnx"
# Chosen on part `tune`, whose whole plates have at most -3.4 and -6.1 in the second and third.
LIMITS, THRESHOLD = (-0.23, -3.2, -3.0), 0.45


class ShippedWholeNet(nn.Module):
    """As exported: 0–1 instead of logits, ½ where each answer begins to count."""

    def __init__(self, net: WholeNet, limits: Sequence[float]) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("limits", torch.tensor(limits))

    def forward(self, around: Tensor, features: Tensor, signs: Tensor) -> Tensor:
        """See the network's module."""
        return (self.net(around, features, signs) - self.limits).sigmoid()


def shipped(checkpoint: Path, limits: Sequence[float]) -> ShippedWholeNet:
    """The weights as they will run. `limits`: the logits from which answers count."""
    net = WholeNet().eval()
    net.load_state_dict(averaged_weights(checkpoint))
    return ShippedWholeNet(rounded(net), limits).eval()


def to_onnx(net: nn.Module) -> bytes:
    """Inputs and outputs as agent.vision.whole.wholeness.Wholeness has them; N is free."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # as models.training.exporting does
        torch.onnx.export(
            net,
            tuple(examples(1)),
            file,
            opset_version=OPSET,
            dynamo=False,
            input_names=list(INPUTS),
            output_names=["chances"],
            dynamic_axes={name: {0: "plates"} for name in (*INPUTS, "chances")},
        )
    return packed(file.getvalue())


def examples(count: int) -> Iterator[Tensor]:
    """Inputs of nothing."""
    dice = torch.Generator().manual_seed(3)
    return (torch.randn(count, *shape, generator=dice) for shape in INPUTS.values())


def difference(net: nn.Module, model: bytes) -> float:
    """Between PyTorch and onnxruntime, at most, of a chance."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    given = list(examples(5))
    fed = {name: one.numpy() for name, one in zip(INPUTS, given, strict=True)}
    with torch.inference_mode():
        return float(np.abs(net(*given).numpy() - session.run(["chances"], fed)[0]).max())


def main() -> None:
    """Export, check, describe, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument(
        "--limits", type=float, nargs=3, default=LIMITS, help="logits from which answers count"
    )
    parser.add_argument(
        "--recognizer", type=Path, default=RECOGNIZER, help="whose features it was trained on"
    )
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    net = shipped(given.checkpoint, given.limits)
    model = to_onnx(net)
    described = describe(
        model,
        purpose=PURPOSE,
        classes=CLASSES,
        threshold=THRESHOLD,
        training_command=f"{command_of(given.checkpoint)}; {BESIDE} {digest(given.recognizer)}",
    )
    write(described, difference(net, model), given.to)


if __name__ == "__main__":
    main()
