"""Writes models/detector.onnx from a checkpoint's averaged weights, and checks it against PyTorch.

    python -m models.training.detector.export ../train/detector/checkpoint.pt

Then `python -m models.training.manifest`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from models.training.detector.net import (
    INPUT_HEIGHT_PX,
    INPUT_WIDTH_PX,
    PlateNet,
    ShippedNet,
    net_of,
)
from models.training.exporting import Shipped, export
from models.training.loop import averaged_weights

OUTPUTS = ("score", "box")
BLOCK_PX = 32  # what a picture's sides are multiples of
# Height and width of pictures to compare on.
SIZES = ((INPUT_HEIGHT_PX, INPUT_WIDTH_PX), (352, 640), (384, 512), (BLOCK_PX, BLOCK_PX))
THRESHOLD = 0.02  # of a proposal: low, because the aligner looks again
PURPOSE = "proposes where licence plates are: score and box per cell of 8 px"
TARGET = Path(__file__).parents[2] / "detector.onnx"


def load_net(checkpoint: Path) -> PlateNet:
    """The averaged weights of a checkpoint, the teacher's or the pupil's, ready to infer."""
    net = net_of(checkpoint)
    net.load_state_dict(averaged_weights(checkpoint))
    return net.eval()


def picture(rng: Generator, height: int, width: int) -> Tensor:
    """Noise in blocks, uint8 1×1×height×width."""
    blocks = (
        rng.integers(0, 256, (1, 1, height // BLOCK_PX, width // BLOCK_PX), dtype=np.uint8)
        .repeat(BLOCK_PX, axis=2)
        .repeat(BLOCK_PX, axis=3)
    )
    # The sum wraps, which makes hard edges as well.
    return torch.from_numpy(blocks + rng.integers(0, 32, blocks.shape, dtype=np.uint8))


def shipped(checkpoint: Path) -> Shipped:
    """The averaged weights, as they will run."""
    return as_shipped(load_net(checkpoint))


def as_shipped(net: PlateNet) -> Shipped:
    """Input `frame` uint8 1×1×H×W, grey, H and W multiples of 32; outputs `score` 1×1×H/8×W/8 and
    `box` 1×4×H/8×W/8.
    """
    rng = np.random.default_rng(0)
    free = {
        "frame": {2: "height", 3: "width"},
        **{key: {2: "rows", 3: "columns"} for key in OUTPUTS},
    }
    return Shipped(
        ShippedNet(net),
        "frame",
        OUTPUTS,
        free,
        [picture(rng, *size) for size in SIZES],
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
        classes=["plate"],
        threshold=THRESHOLD,
    )


if __name__ == "__main__":
    main()
