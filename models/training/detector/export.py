"""Writes a trained detector as ONNX and proves that it computes what PyTorch computes.

python -m models.training.detector.export CHECKPOINT [models/detector.onnx]
"""

import io
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch

from models.training import manifest
from models.training.detector.net import INPUT_HEIGHT_PX, INPUT_WIDTH_PX, PlateNet, ShippedNet
from models.training.loop import averaged_weights, command_of

OPSET = 17
LARGEST_ERROR = 1e-4  # scores are 0..1; boxes are compared relative to their size
OUTPUTS = ("score", "box")
SIZES = ((12, 20), (11, 20), (12, 16), (1, 1))  # of pictures to compare on, in units of 32 px
THRESHOLD = 0.02  # of a proposal: low, because the aligner looks again
PURPOSE = "proposes where licence plates are: score and box per cell of 8 px"


class ExportError(RuntimeError):
    """The exported network computes something else than the trained one."""


def load_net(checkpoint: Path) -> PlateNet:
    """The averaged weights of a checkpoint, the teacher's or the pupil's, ready to infer."""
    weights = averaged_weights(checkpoint)
    net = PlateNet(wide="head.0.within.0.weight" not in weights)
    net.load_state_dict(weights)
    return net.eval()


def to_onnx(net: PlateNet) -> bytes:
    """The network as a self-contained ONNX file for one uint8 1 x 1 x H x W grey image, H and W multiples of 32."""
    shipped = ShippedNet(net).eval()
    pixels, cells = {2: "height", 3: "width"}, {2: "rows", 3: "columns"}
    frame = torch.zeros(1, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX, dtype=torch.uint8)
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but it needs no further package and writes a plainer graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            shipped,
            (frame,),
            file,
            opset_version=OPSET,
            dynamo=False,
            input_names=["frame"],
            output_names=list(OUTPUTS),
            dynamic_axes={"frame": pixels, **dict.fromkeys(OUTPUTS, cells)},
        )
    onnx.checker.check_model(onnx.load_model_from_string(file.getvalue()))
    return file.getvalue()


def check_equal(net: PlateNet, model: bytes, seed: int = 0) -> float:
    """Largest difference between the two on noise images; raises ExportError when it exceeds LARGEST_ERROR."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(seed)
    shipped = ShippedNet(net).eval()
    worst = 0.0
    for rows, columns in SIZES:
        low = rng.integers(0, 256, (1, 1, rows, columns), dtype=np.uint8)
        frame = low.repeat(32, axis=2).repeat(32, axis=3)
        frame = frame + rng.integers(0, 32, frame.shape, dtype=np.uint8)  # wraps: hard edges as well
        with torch.inference_mode():
            ours = [tensor.numpy() for tensor in shipped(torch.from_numpy(frame))]
        for mine, theirs in zip(ours, session.run(list(OUTPUTS), {"frame": frame}), strict=True):
            worst = max(worst, float((np.abs(mine - theirs) / np.maximum(1.0, np.abs(mine))).max()))
    if worst > LARGEST_ERROR:
        message = f"the ONNX file differs from PyTorch by {worst:.2e} (allowed {LARGEST_ERROR:.0e}): do not ship it"
        raise ExportError(message)
    return worst


def main(arguments: list[str]) -> None:
    """Export one checkpoint."""
    checkpoint = Path(arguments[0])
    target = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parents[2] / "detector.onnx"
    net = load_net(checkpoint)
    model = to_onnx(net)
    worst = check_equal(net, model)
    model = manifest.describe(model, purpose=PURPOSE, classes=["plate"], threshold=THRESHOLD, training_command=command_of(checkpoint))
    target.write_bytes(model)
    print(f"{target.name}: {len(model)} bytes, differs from PyTorch by at most {worst:.1e}")


if __name__ == "__main__":
    main(sys.argv[1:])
