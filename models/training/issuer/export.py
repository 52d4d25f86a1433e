"""Writes models/issuer.onnx from a checkpoint, and checks it against PyTorch.

    python -m models.training.issuer.export ../train/issuer/checkpoint.pt [--threshold 0.3]

Then `python -m models.training.manifest`. `--threshold`: the share from which on a line names its
state (agent/vision/issuer/closed_list.py); `models.training.issuer.choose` shows what it costs.
Weights are kept as 8-bit numbers.
"""

import argparse
from pathlib import Path

from torch import Tensor, nn

from agent.vision.issuer.closed_list import LETTERS
from models.training.exporting import Shipped, export, fused, noise_crops
from models.training.issuer.net import STRIP, StripReader
from models.training.loop import averaged_weights
from models.training.quartering import packed, rounded

PURPOSE = "reads the small print of one plate, which may name the issuing state"
TARGET = Path(__file__).parents[2] / "issuer.onnx"
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
    return Shipped(
        rounded(fused(ShippedStripReader(load(checkpoint)))),
        "strips",
        ("logits",),
        {key: {0: "strips"} for key in ("strips", "logits")},
        noise_crops(STRIP.height, STRIP.width),
    )


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
