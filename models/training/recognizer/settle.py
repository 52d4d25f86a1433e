"""Takes the means and deviations of batch norm anew, after a mean of weights: those of the mean are
no mean of theirs (Izmailov et al., Averaging weights, 2018).

    python -m models.training.recognizer.settle ../train/mean/checkpoint.pt --out ../train/settled
    [--data ../shared/plates] [--batches 90] [--seed 77]
"""

import argparse
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track as with_progress
from torch import nn

from models.training import fonts
from models.training.data_guard import refuse_measure_only
from models.training.loop import averaged_weights, command_of, write_averaged
from models.training.recognizer.net import Recognizer, standardised
from models.training.recognizer.samples import batches
from models.training.render.syntax import font_names


def settled(net: Recognizer, crops: Iterable[NDArray]) -> Recognizer:
    """The same weights, with the statistics of these crops (each N×48×128 grey, uint8)."""
    norms = [one for one in net.modules() if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # PyTorch's word for: the mean of all batches
    net.train()
    with torch.inference_mode():
        for some in crops:
            net(standardised(torch.from_numpy(some)[:, None].float()))
    return net.eval()


def main() -> None:
    """Read, look, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument("--data", type=Path, help="photographs whose training is allowed")
    parser.add_argument("--batches", type=int, default=90)
    parser.add_argument("--seed", type=int, default=77)
    given = parser.parse_args()
    fonts.require(font_names())
    data = refuse_measure_only(given.data) if given.data else None
    net = Recognizer()
    net.load_state_dict(averaged_weights(given.checkpoint))
    drawn = islice(batches(given.seed, lambda: 1.0, data), given.batches)
    seen = with_progress(
        (batch.crops for batch in drawn),
        "looking",
        total=given.batches,
        console=Console(stderr=True),
        transient=True,
    )
    command = f"{command_of(given.checkpoint)}; python -m models.training.recognizer.settle"
    written = write_averaged(settled(net, seen).state_dict(), command, given.out)
    print(f"{written}: the same weights, batch norm settled on {given.batches} batches")


if __name__ == "__main__":
    main()
