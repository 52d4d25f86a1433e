"""From an exported network back to one that can be trained: a checkpoint of what ships.

An export has folded batch norm into the convolutions before it: what remains is one filter and one
offset a channel. Training needs the norm back. Its means and variances are measured on newly drawn
samples, layer by layer; its scale and shift follow from the demand that the network computes what
the file computes, which is checked before anything is kept. Filters are made one long: in front of
a norm only their direction tells.
"""

from collections.abc import Callable, Iterator

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from models.training.exporting import LARGEST_DIFFERENCE, Shipped, largest_difference

# What makes a file's weights of the smaller ones that it keeps (halving.py, quartering.py).
WIDENING: dict[str, Callable[..., NDArray[np.float32]]] = {"Cast": np.asarray, "Mul": np.multiply}
SHORTEST = 1e-6  # of a filter: one that does nothing stays as it is

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
Holder = nn.Conv2d | nn.Conv1d | nn.Linear
Norm = nn.BatchNorm2d | nn.BatchNorm1d


def layers_of(graph: onnx.ModelProto) -> Iterator[Layer]:
    """Weights and offsets of the file's convolutions and dense layers, in the order in which they
    run.
    """
    values = {
        value.name: numpy_helper.to_array(value).astype(np.float32)
        for value in graph.graph.initializer
    }
    for node in graph.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            yield values[node.input[1]], values[node.input[2]]
        elif all(name in values for name in node.input) and node.op_type in WIDENING:
            values[node.output[0]] = WIDENING[node.op_type](*(values[name] for name in node.input))


@torch.no_grad()
def units(net: nn.Module, example: Tensor) -> list[tuple[Holder, Norm | None]]:
    """The network's convolutions and dense layers as they run, each with the norm behind it."""
    modules = [module for module in net.modules() if isinstance(module, Holder | Norm)]
    behind = dict(zip(modules, [*modules[1:], None], strict=True))
    ran: list[Holder] = []
    hooks = [
        one.register_forward_hook(lambda holder, _given, _sums: ran.append(holder))
        for one in modules
        if isinstance(one, Holder)
    ]
    net(example)
    for hook in hooks:
        hook.remove()
    return [(one, after if isinstance(after := behind[one], Norm) else None) for one in ran]


def take_over(pairs: list[tuple[Holder, Norm | None]], graph: onnx.ModelProto) -> None:
    """Put the file's layers into the network, its norms doing nothing but adding the offset.

    Raises SystemExit where the layers are others.
    """
    layers = list(layers_of(graph))
    if [weight.shape for weight, _ in layers] != [
        tuple(holder.weight.shape) for holder, _ in pairs
    ]:
        message = (
            "not an export of this network: its layers have other shapes (is it an older one? "
            "check out the commit that wrote it)"
        )
        raise SystemExit(message)
    for (holder, norm), (weight, offset) in zip(pairs, layers, strict=True):
        holder.weight.data = torch.tensor(weight)
        (norm or holder).bias.data = torch.tensor(offset)
        if norm:
            norm.running_var = torch.full_like(norm.weight.data, 1 - norm.eps)


@torch.no_grad()
def measure(net: nn.Module, pairs: list[tuple[Holder, Norm | None]], samples: Tensor) -> None:
    """Give each norm the statistics of `samples` (the network's input) and undo them by its scale
    and shift: the network computes the same.
    """
    norms = {holder: norm for holder, norm in pairs if norm}

    def settle(holder: Holder, _inputs: tuple[Tensor, ...], sums: Tensor) -> Tensor:
        """Between a convolution and its norm; what follows sees what it always saw."""
        norm, length = norms[holder], holder.weight.flatten(1).norm(dim=1)
        length = torch.where(length < SHORTEST, torch.ones_like(length), length)
        holder.weight.div_(length.reshape(-1, *[1] * (holder.weight.ndim - 1)))
        sums = sums / length.reshape(-1, *[1] * (sums.ndim - 2))
        norm.running_var, norm.running_mean = torch.var_mean(
            sums, [side for side in range(sums.ndim) if side != 1], correction=0
        )
        norm.weight.data = (norm.running_var + norm.eps).sqrt() * length
        norm.bias.data += norm.running_mean * length
        return sums

    hooks = [holder.register_forward_hook(settle) for holder in norms]
    net(samples)
    for hook in hooks:
        hook.remove()


def reopened(
    net: nn.Module,
    shipped: Callable[[nn.Module], Shipped],
    graph: onnx.ModelProto,
    samples: Tensor,
) -> None:
    """Fill `net` with the file's weights, ready to train on; `shipped`: how it would be exported.

    Raises SystemExit for another network's file, or where the two compute differently.
    """
    net.eval()
    pairs = units(net, samples[:1])
    take_over(pairs, graph)
    scale = getattr(net, "input_scale", 1.0)  # folded into the exported detector's first filters
    pairs[0][0].weight.data /= scale
    measure(net, pairs, samples)
    difference = largest_difference(shipped(net), graph.SerializeToString())
    if difference > LARGEST_DIFFERENCE:
        message = (
            f"the network taken from the file differs from it by {difference:.1e} "
            f"(allowed {LARGEST_DIFFERENCE:.0e}): not written"
        )
        raise SystemExit(message)
