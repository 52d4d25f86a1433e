"""Writes models/recognizer.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.recognizer.export ../train/recognizer/checkpoint.pt

Then `python -m models.training.manifest`.
"""

import argparse
import io
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from models.training.loop import averaged_weights, command_of
from models.training.manifest import describe
from models.training.recognizer.net import CROP, Recognizer
from models.training.render.syntax import CHARACTERS

OPSET = 17
LARGEST_DIFFERENCE = 1e-4
TARGET = Path(__file__).parents[2] / "recognizer.onnx"


def load(checkpoint: Path) -> Recognizer:
    """The network as it will run."""
    net = Recognizer().eval()
    net.load_state_dict(averaged_weights(checkpoint))
    return net


def to_onnx(net: Recognizer) -> bytes:
    """Input `crop` N×1×48×128; outputs `logits` N×32×37 and `region` N×4; N is free."""
    buffer = io.BytesIO()
    example = torch.zeros(1, 1, CROP.height, CROP.width)
    free = {0: "crops"}
    torch.onnx.export(
        net,
        (example,),
        buffer,
        input_names=["crop"],
        output_names=["logits", "region"],
        opset_version=OPSET,
        dynamic_axes={"crop": free, "logits": free, "region": free},
        dynamo=False,
    )
    return buffer.getvalue()


def largest_difference(net: Recognizer, model: bytes) -> float:
    """Between PyTorch and onnxruntime, over random crops, in logits."""
    crops = torch.randn(5, 1, CROP.height, CROP.width, generator=torch.Generator().manual_seed(3))
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        ours = [output.numpy() for output in net(crops)]
    theirs = session.run(["logits", "region"], {"crop": crops.numpy()})
    return max(float(np.abs(a - b).max()) for a, b in zip(ours, theirs, strict=True))


def main() -> None:
    """Export, check, describe, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    net = load(given.checkpoint)
    model = to_onnx(net)
    difference = largest_difference(net, model)
    if difference > LARGEST_DIFFERENCE:
        parser.error(f"onnxruntime and PyTorch differ by {difference:.1e}: not written")
    given.to.write_bytes(
        describe(
            model, purpose="reads the characters of one plate", classes=["blank", *CHARACTERS], threshold=0.0, training_command=command_of(given.checkpoint)
        )
    )
    print(f"{given.to}: {given.to.stat().st_size} bytes, differs from PyTorch by {difference:.1e}")


if __name__ == "__main__":
    main()
