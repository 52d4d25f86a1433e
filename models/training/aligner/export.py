"""Writes models/aligner.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.aligner.export ../train/aligner/checkpoint.pt

Then `python -m models.training.manifest`.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from agent.vision.aligner import INPUT_HEIGHT_PX, INPUT_WIDTH_PX
from models.training.aligner.net import Aligner, ShippedAligner
from models.training.loop import averaged_weights, command_of
from models.training.manifest import describe

OPSET = 17
LARGEST_DIFFERENCE = 1e-4
THRESHOLD = 0.4  # of both networks after the second look; what stays doubtful must also be legible (agent/vision/aligner.py)
OUTPUTS = ["corners", "chances"]
TARGET = Path(__file__).parents[2] / "aligner.onnx"


def to_onnx(net: ShippedAligner) -> bytes:
    """Input `crop` N×1×64×96; outputs `corners` N×8 and `chances` N×2; N is free."""
    buffer = io.BytesIO()
    free = {0: "crops"}
    example = torch.zeros(1, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX)
    axes = dict.fromkeys(("crop", *OUTPUTS), free)
    torch.onnx.export(net, (example,), buffer, input_names=["crop"], output_names=OUTPUTS, opset_version=OPSET, dynamic_axes=axes, dynamo=False)
    return buffer.getvalue()


def largest_difference(net: ShippedAligner, model: bytes) -> float:
    """Between PyTorch and onnxruntime, over random crops."""
    crops = torch.randn(5, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX, generator=torch.Generator().manual_seed(3))
    theirs = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(OUTPUTS, {"crop": crops.numpy()})
    with torch.no_grad():
        ours = [output.numpy() for output in net(crops)]
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Export, check, describe, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    net = Aligner()
    net.load_state_dict(averaged_weights(given.checkpoint))
    shipped = ShippedAligner(net).eval()
    model = to_onnx(shipped)
    difference = largest_difference(shipped, model)
    if difference > LARGEST_DIFFERENCE:
        parser.error(f"onnxruntime and PyTorch differ by {difference:.1e}: not written")
    purpose = "finds the corners of one proposed plate; says whether it is one and has two rows"
    given.to.write_bytes(describe(model, purpose=purpose, classes=["plate", "two rows"], threshold=THRESHOLD, training_command=command_of(given.checkpoint)))
    print(f"{given.to}: {given.to.stat().st_size} bytes, differs from PyTorch by {difference:.1e}")


if __name__ == "__main__":
    main()
