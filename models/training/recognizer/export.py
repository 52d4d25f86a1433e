"""Writes models/recognizer.onnx from a checkpoint's averaged weights, and checks it against
PyTorch.

    python -m models.training.recognizer.export ../train/recognizer/checkpoint.pt

Then `python -m models.training.manifest`. Weights are kept as 16-bit floats.
"""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from models.training import halving
from models.training.exporting import Shipped, export, fused, noise_crops
from models.training.loop import averaged_weights
from models.training.recognizer.net import CROP, Recognizer, ShippedRecognizer
from models.training.render.degrade import Crop
from models.training.render.syntax import CHARACTERS

OUTPUTS = ("logits", "region", "features")
PURPOSE = "reads the characters of one plate"
TARGET = Path(__file__).parents[2] / "recognizer.onnx"


def load(checkpoint: Path, build: Callable[[], Recognizer] = Recognizer) -> Recognizer:
    """The network as it will run."""
    net = build().eval()
    net.load_state_dict(averaged_weights(checkpoint))
    return net


def as_shipped(net: Recognizer, crop: Crop = CROP) -> Shipped:
    """Input `crop` N×1×48×128, or as high as `crop` is; outputs `logits` N×32×37, `region` N×4 and
    `features` N×160×32; N is free.
    """
    return Shipped(
        ShippedRecognizer(net),
        "crop",
        OUTPUTS,
        {key: {0: "crops"} for key in ("crop", *OUTPUTS)},
        noise_crops(crop.height, crop.width),
    )


def write(
    description: str,
    purpose: str,
    target: Path,
    shipped: Callable[[Path], Shipped],
    precision: ModuleType = halving,
) -> None:
    """The command line of an export of this network; `description`: the module's docstring,
    `shipped`: from a checkpoint to the network as it will run, but for its weights' `precision`,
    which is halving or quartering.
    """
    parser = argparse.ArgumentParser(description=description.partition("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--to", type=Path, default=target)
    given = parser.parse_args()
    whole = shipped(given.checkpoint)
    export(
        replace(whole, net=precision.rounded(fused(whole.net))),
        given.checkpoint,
        given.to,
        purpose=purpose,
        classes=["blank", *CHARACTERS],
        threshold=0.0,
        packed=precision.packed,
    )


def main() -> None:
    """Export, check, describe, write."""
    write(__doc__ or "", PURPOSE, TARGET, lambda checkpoint: as_shipped(load(checkpoint)))


if __name__ == "__main__":
    main()
