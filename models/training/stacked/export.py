"""Writes models/stacked.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.stacked.export ../train/stacked/checkpoint.pt

Then `python -m models.training.manifest`. Weights are kept as 8-bit integers.
"""

from pathlib import Path

from models.training import quartering
from models.training.recognizer.export import load, write
from models.training.stacked.net import as_shipped, build

PURPOSE = "reads the characters of one plate, stacked ones too, where these may have been left out"
TARGET = Path(__file__).parents[2] / "stacked.onnx"


def main() -> None:
    """Export, check, describe, write."""
    write(
        __doc__ or "",
        PURPOSE,
        TARGET,
        lambda checkpoint: as_shipped(load(checkpoint, build)),
        quartering,
    )


if __name__ == "__main__":
    main()
