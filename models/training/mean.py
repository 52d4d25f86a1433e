"""Writes the mean of several checkpoints' weights: of one training and what it began with, for
example (Wortsman et al., Model soups, 2022).

    python -m models.training.mean ../train/recognizer/checkpoint.pt ../train/before/checkpoint.pt
    [--weights 2 1] --out ../train/mean

Only of networks that began from the same weights: others lie in different valleys, and the mean of
two valleys is a hill. After a mean of recognisers: `python -m models.training.recognizer.settle`.
"""

import argparse
from pathlib import Path

import torch

from models.training.loop import averaged_weights, command_of, write_averaged


def mean_of(checkpoints: list[Path], weights: list[float] | None = None) -> dict[str, torch.Tensor]:
    """Of every weight the mean; of what is counted (batch norm's batches) the first one's.

    `weights`: how much each checkpoint counts; None: all the same. Raises SystemExit when they are
    not of one network, or not as many.
    """
    if weights is not None and len(weights) != len(checkpoints):
        message = f"{len(weights)} weights for {len(checkpoints)} checkpoints: give one for each"
        raise SystemExit(message)
    counts = torch.tensor(weights or [1.0] * len(checkpoints))
    first, *others = [averaged_weights(checkpoint) for checkpoint in checkpoints]
    for checkpoint, other in zip(checkpoints[1:], others, strict=True):
        if {name: value.shape for name, value in first.items()} != {
            name: value.shape for name, value in other.items()
        }:
            message = (
                f"{checkpoint}: weights of another network than {checkpoints[0]}: "
                "give checkpoints of one training"
            )
            raise SystemExit(message)
    return {
        name: torch.tensordot(
            counts / counts.sum(), torch.stack([value, *(other[name] for other in others)]), 1
        )
        if value.dtype.is_floating_point
        else value
        for name, value in first.items()
    }


def main() -> None:
    """Mean, written as a checkpoint that the exports read."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("checkpoints", type=Path, nargs="+")
    parser.add_argument("--weights", type=float, nargs="+", help="of each; without: the same")
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    given = parser.parse_args()
    weighed = "".join(f" {weight:g}" for weight in given.weights or ())
    command = (
        f"{command_of(given.checkpoints[0])}; "
        f"python -m models.training.mean of {len(given.checkpoints)} checkpoints"
        f"{' --weights' if weighed else ''}{weighed}"
    )
    written = write_averaged(mean_of(given.checkpoints, given.weights), command, given.out)
    print(f"{written}: the mean of {len(given.checkpoints)} checkpoints")


if __name__ == "__main__":
    main()
