"""Writes models/reviewer.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.reviewer.export ../train/reviewer/checkpoint.pt

Then `python -m models.training.manifest`. Weights are kept as 8-bit integers.
"""

from pathlib import Path

from models.training import quartering
from models.training.recognizer.export import as_shipped, load, write

PURPOSE = "reads again the characters of one plate of which the recognizer is in doubt"
TARGET = Path(__file__).parents[2] / "reviewer.onnx"


def main() -> None:
    """Export, check, describe, write."""
    write(
        __doc__ or "",
        PURPOSE,
        TARGET,
        lambda checkpoint: as_shipped(load(checkpoint)),
        quartering,
    )


if __name__ == "__main__":
    main()
