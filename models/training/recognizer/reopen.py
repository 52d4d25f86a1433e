"""Makes a checkpoint of the exported recogniser, so that a training can begin with what ships.

    python -m models.training.recognizer.reopen models/recognizer.onnx --out ../train/shipped
    [--data ../shared/plates]
    python -m models.training.recognizer.train --start ../train/shipped/checkpoint.pt --minutes 60
    --rate 1e-3 --out ../train/further

An export has folded batch norm into the convolutions before it: what remains is one filter and one
offset a channel. Training needs the norm back. Its means and variances are measured on newly drawn
samples, layer by layer; its scale and shift follow from the demand that the network computes what
the file computes, which is checked before anything is written. Filters are made one long: in front
of a norm only their direction tells.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from models.training import fonts
from models.training.data_guard import refuse_measure_only
from models.training.exporting import LARGEST_DIFFERENCE, Shipped, largest_difference, noise_crops
from models.training.loop import write_averaged
from models.training.manifest import description
from models.training.recognizer.export import OUTPUTS
from models.training.recognizer.net import CROP, Recognizer, standardised
from models.training.recognizer.samples import batches
from models.training.render.syntax import font_names

SAMPLES_SEED = 17
BATCHES = 20  # of samples that the statistics are measured on

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
Holder = nn.Conv2d | nn.Conv1d | nn.Linear
Norm = nn.BatchNorm2d | nn.BatchNorm1d


def layers_of(graph: onnx.ModelProto) -> Iterator[Layer]:
    """Weights and offsets of the file's convolutions and dense layers, in the order in which they
    run.
    """
    values = {value.name: numpy_helper.to_array(value) for value in graph.graph.initializer}
    for node in graph.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            yield values[node.input[1]], values[node.input[2]]


def units(net: nn.Module) -> list[tuple[Holder, Norm | None]]:
    """The network's convolutions and dense layers in their order, each with the norm behind it."""
    modules = [module for module in net.modules() if isinstance(module, Holder | Norm)]
    followers = [*modules[1:], None]
    return [
        (one, after if isinstance(after, Norm) else None)
        for one, after in zip(modules, followers, strict=True)
        if isinstance(one, Holder)
    ]


def take_over(net: Recognizer, graph: onnx.ModelProto) -> None:
    """Put the file's layers into the network, its norms doing nothing but adding the offset.

    Raises SystemExit where the layers are others.
    """
    layers = list(layers_of(graph))
    if [weight.shape for weight, _ in layers] != [
        tuple(holder.weight.shape) for holder, _ in units(net)
    ]:
        message = (
            "not an export of this recogniser: its layers have other shapes (is it an older one? "
            "check out the commit that wrote it)"
        )
        raise SystemExit(message)
    for (holder, norm), (weight, offset) in zip(units(net), layers, strict=True):
        holder.weight.data = torch.tensor(weight)
        (norm or holder).bias.data = torch.tensor(offset)
        if norm:
            norm.running_var = torch.full_like(norm.weight.data, 1 - norm.eps)


@torch.no_grad()
def measure(net: Recognizer, crops: Tensor) -> None:
    """Give each norm the statistics of `crops` (N×1×48×128, standardised) and undo them by its
    scale and shift: the network computes the same.
    """
    norms = {holder: norm for holder, norm in units(net) if norm}

    def settle(holder: Holder, _inputs: tuple[Tensor, ...], sums: Tensor) -> Tensor:
        """Between a convolution and its norm; what follows sees what it always saw."""
        norm, length = norms[holder], holder.weight.flatten(1).norm(dim=1)
        holder.weight.div_(length.reshape(-1, *[1] * (holder.weight.ndim - 1)))
        sums = sums / length.reshape(-1, *[1] * (sums.ndim - 2))
        norm.running_var, norm.running_mean = torch.var_mean(
            sums, [side for side in range(sums.ndim) if side != 1], correction=0
        )
        norm.weight.data = (norm.running_var + norm.eps).sqrt() * length
        norm.bias.data += norm.running_mean * length
        return sums

    hooks = [holder.register_forward_hook(settle) for holder in norms]
    net(crops)
    for hook in hooks:
        hook.remove()


def reopened(graph: onnx.ModelProto, crops: Tensor) -> Recognizer:
    """The network of an export, ready to train on.

    Raises SystemExit for another network's file, or where the two compute differently.
    """
    net = Recognizer().eval()
    take_over(net, graph)
    measure(net, crops)
    difference = largest_difference(
        Shipped(net, "crop", OUTPUTS, {}, noise_crops(CROP.height, CROP.width)),
        graph.SerializeToString(),
    )
    if difference > LARGEST_DIFFERENCE:
        message = (
            f"the network taken from the file differs from it by {difference:.1e} "
            f"(allowed {LARGEST_DIFFERENCE:.0e}): not written"
        )
        raise SystemExit(message)
    return net


def samples(data: Path | None) -> Tensor:
    """Standardised crops as a training sees them, N×1×48×128."""
    drawn = batches(SAMPLES_SEED, lambda: 1.0, data)
    return standardised(
        torch.cat([torch.from_numpy(next(drawn).crops)[:, None].float() for _ in range(BATCHES)])
    )


def main() -> None:
    """Reopen, check, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of the new checkpoint")
    parser.add_argument("--data", type=Path, help="folder of train.jsonl with the photographs")
    given = parser.parse_args()
    if given.data:
        refuse_measure_only(given.data)
    fonts.tell(font_names())
    graph = onnx.load(given.file)
    command = description(given.file, graph)["training_command"]
    net = reopened(graph, samples(given.data))
    written = write_averaged(net.state_dict(), command, given.out)
    print(f"{written}: the network of {given.file}")


if __name__ == "__main__":
    main()
