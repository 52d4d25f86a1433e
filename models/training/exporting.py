"""From a trained network to an ONNX file that computes the same: what the exports of all
networks share.
"""

import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from agent.disk.atomic_file import write_atomic
from models.training.loop import command_of
from models.training.manifest import READABLE, describe

OPSET = 17
Narrow = tuple[list[onnx.TensorProto], list[onnx.NodeProto]]
LARGEST_DIFFERENCE = 1e-4  # of an output, or as a share of it where it is larger than 1


class ExportError(RuntimeError):
    """The exported network computes something else than the trained one."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A network as it will run.

    `free`: of each input and output the sides that may vary; `examples`: inputs to trace it with
    (the first) and compare on.
    """

    net: nn.Module
    source: str
    outputs: tuple[str, ...]
    free: Mapping[str, Mapping[int, str]]
    examples: Sequence[Tensor]


def noise_crops(height: int, width: int) -> list[Tensor]:
    """Crops N×1×height×width of nothing: one, and five at a time."""
    dice = torch.Generator().manual_seed(3)
    return [torch.randn(crops, 1, height, width, generator=dice) for crops in (1, 5)]


def export(
    shipped: Shipped,
    checkpoint: Path,
    target: Path,
    *,
    purpose: str,
    classes: list[str],
    threshold: float,
    packed: Callable[[bytes], bytes] = bytes,
) -> None:
    """Write the file, with its description inside, and say what was written; `packed`: by what the
    network is made smaller before.

    Raises ExportError, and writes nothing, where the two differ.
    """
    model = packed(to_onnx(shipped))
    described = describe(
        model,
        purpose=purpose,
        classes=classes,
        threshold=threshold,
        training_command=command_of(checkpoint),
    )
    write(described, largest_difference(shipped, model), target)


def write(described: bytes, difference: float, target: Path) -> None:
    """Write a file that differs from PyTorch by so much, and say so. Raises ExportError, and writes
    nothing, where that is too much.
    """
    if difference > LARGEST_DIFFERENCE:
        message = (
            f"the ONNX file differs from PyTorch by {difference:.1e} "
            f"(allowed {LARGEST_DIFFERENCE:.0e}): not written"
        )
        raise ExportError(message)
    write_atomic(target, described, READABLE)
    print(f"{target}: {len(described)} bytes, differs from PyTorch by at most {difference:.1e}")


def to_onnx(shipped: Shipped) -> bytes:
    """The network as one self-contained file."""
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but it needs no further package and writes a plainer
        # graph.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            shipped.net.eval(),
            (shipped.examples[0],),
            file,
            opset_version=OPSET,
            dynamo=False,
            input_names=[shipped.source],
            output_names=list(shipped.outputs),
            dynamic_axes={name: dict(sides) for name, sides in shipped.free.items()},
        )
    onnx.checker.check_model(onnx.load_model_from_string(file.getvalue()))
    return file.getvalue()


def fused(net: nn.Module) -> nn.Module:
    """The same network with its batch norms inside its convolutions, as an export writes them: what
    is rounded is then what is kept.
    """
    return fuse(net.eval())


def narrowed(model: bytes, narrow: Callable[[onnx.TensorProto], Narrow | None]) -> bytes:
    """The same network with smaller weights, which are widened before all else runs.

    `narrow`: of one weight what is kept in its place, and the nodes that make it again; None where
    it stays as it is.
    """
    graph = onnx.load_model_from_string(model)
    kept: list[onnx.TensorProto] = []
    widened: list[onnx.NodeProto] = []
    for value in graph.graph.initializer:
        smaller, nodes = narrow(value) or ([value], [])
        kept += smaller
        widened += nodes
    nodes = [*widened, *graph.graph.node]
    del graph.graph.initializer[:], graph.graph.node[:]
    graph.graph.initializer.extend(kept)
    graph.graph.node.extend(nodes)
    onnx.checker.check_model(graph)
    return graph.SerializeToString()


def largest_difference(shipped: Shipped, model: bytes) -> float:
    """Between PyTorch and onnxruntime, over the examples."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    worst = 0.0
    for example in shipped.examples:
        with torch.inference_mode():
            ours = [output.numpy() for output in shipped.net(example)]
        for mine, theirs in zip(
            ours, session.run(list(shipped.outputs), {shipped.source: example.numpy()}), strict=True
        ):
            worst = max(worst, float((np.abs(mine - theirs) / np.maximum(1.0, np.abs(mine))).max()))
    return worst
