"""Writes models/aligner.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.aligner.export ../train/aligner/checkpoint.pt

Then `python -m models.training.manifest`.
"""

import argparse
from pathlib import Path

from agent.vision.aligner import INPUT_HEIGHT_PX, INPUT_WIDTH_PX
from models.training.aligner.net import Aligner, ShippedAligner
from models.training.exporting import Shipped, export, noise_crops
from models.training.loop import averaged_weights

# Of both networks after the second look; what stays doubtful must also be legible: see
# agent/vision/aligner.py
THRESHOLD = 0.2
OUTPUTS = ("corners", "chances")
PURPOSE = "finds the corners of one proposed plate; says whether it is one and has two rows"
TARGET = Path(__file__).parents[2] / "aligner.onnx"


def shipped(checkpoint: Path) -> Shipped:
    """The averaged weights, as they will run."""
    net = Aligner()
    net.load_state_dict(averaged_weights(checkpoint))
    return as_shipped(net)


def as_shipped(net: Aligner) -> Shipped:
    """Input `crop` N×1×64×96; outputs `corners` N×8 and `chances` N×2; N is free."""
    return Shipped(
        ShippedAligner(net),
        "crop",
        OUTPUTS,
        {key: {0: "crops"} for key in ("crop", *OUTPUTS)},
        noise_crops(INPUT_HEIGHT_PX, INPUT_WIDTH_PX),
    )


def main() -> None:
    """Export, check, describe, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--to", type=Path, default=TARGET)
    given = parser.parse_args()
    export(
        shipped(given.checkpoint),
        given.checkpoint,
        given.to,
        purpose=PURPOSE,
        classes=["plate", "two rows"],
        threshold=THRESHOLD,
    )


if __name__ == "__main__":
    main()
