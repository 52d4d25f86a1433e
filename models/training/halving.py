"""Keeps a network's weights as 16-bit floats, which halves its file; it computes with 32."""

from typing import TypeVar

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.fx.experimental.optimization import fuse

from models.training.exporting import repacked

SMALL = 256  # weights: so few are kept as they are
SHORT = "_16"
Net = TypeVar("Net", bound=nn.Module)


def fused(net: nn.Module) -> nn.Module:
    """The same network with its batch norms inside its convolutions, as an export writes them: what
    is rounded is then what is kept.
    """
    return fuse(net.eval())


def rounded(net: Net) -> Net:
    """The network itself, each weight as near to what it was as 16 bits allow."""
    with torch.no_grad():
        for weights in net.parameters():
            if weights.numel() >= SMALL:
                weights.copy_(weights.half().float())
    return net


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network with its large weights as 16-bit floats, widened when it is loaded."""
    kept, casts = [], []
    for value in model.graph.initializer:
        weights = numpy_helper.to_array(value)
        if weights.dtype != np.float32 or weights.size < SMALL:
            kept.append(value)
            continue
        kept.append(numpy_helper.from_array(weights.astype(np.float16), value.name + SHORT))
        casts.append(
            helper.make_node("Cast", [value.name + SHORT], [value.name], to=onnx.TensorProto.FLOAT)
        )
    return repacked(model, kept, casts)
