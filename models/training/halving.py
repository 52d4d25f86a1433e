"""Keeps a network's weights as 16-bit floats, which halves its file; it computes with 32."""

from typing import TypeVar

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn

from models.training.exporting import Narrow, narrowed

SMALL = 256  # weights: so few are kept as they are
SHORT = "_16"
Net = TypeVar("Net", bound=nn.Module)


def rounded(net: Net) -> Net:
    """The network itself, each weight as near to what it was as 16 bits allow."""
    with torch.no_grad():
        for weights in net.parameters():
            if weights.numel() >= SMALL:
                weights.copy_(weights.half().float())
    return net


def packed(model: bytes) -> bytes:
    """The same network with its large weights as 16-bit floats, widened when it is loaded."""
    return narrowed(model, _half)


def _half(value: onnx.TensorProto) -> Narrow | None:
    weights = numpy_helper.to_array(value)
    if weights.dtype != np.float32 or weights.size < SMALL:
        return None
    short = value.name + SHORT
    widen = helper.make_node("Cast", [short], [value.name], to=onnx.TensorProto.FLOAT)
    return [numpy_helper.from_array(weights.astype(np.float16), short)], [widen]
