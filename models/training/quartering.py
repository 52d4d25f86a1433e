"""Keeps a network's weights as 8-bit numbers, each output with a scale of its own, which makes the
file a quarter as large. They are widened once, when it is loaded; it computes with 32-bit floats.
"""

from typing import TypeVar

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from torch import nn

from models.training.exporting import Narrow, narrowed

LARGEST = 127
MATRIX = 2  # axes from which on weights are many
Net = TypeVar("Net", bound=nn.Module)
Map = NDArray[np.float32]


def rounded(net: Net) -> Net:
    """The network itself, each weight as near to what it was as 8 bits and a scale allow."""
    with torch.no_grad():
        for weights in net.parameters():
            if weights.ndim >= MATRIX:
                steps, scale = split(weights.numpy())
                weights.copy_(torch.from_numpy(steps * scale))
    return net


def split(weights: Map) -> tuple[NDArray[np.int8], Map]:
    """Whole numbers from -127 to 127, and the size of their step for each output channel."""
    others = tuple(range(1, weights.ndim))
    scale = np.maximum(np.abs(weights).max(axis=others, keepdims=True) / LARGEST, 1e-12)
    return np.rint(weights / scale).astype(np.int8), scale.astype(np.float32)


def packed(model: bytes) -> bytes:
    """The same network with its filters as 8-bit numbers.

    Cast and multiplied, and not by DequantizeLinear: onnxruntime leaves that to every run.
    """
    return narrowed(model, _eight_bits)


def _eight_bits(value: onnx.TensorProto) -> Narrow | None:
    weights = numpy_helper.to_array(value)
    if weights.dtype != np.float32 or weights.ndim < MATRIX:
        return None
    steps, scale = split(weights)
    small, step, cast = (value.name + end for end in ("_8", "_step", "_wide"))
    return [numpy_helper.from_array(steps, small), numpy_helper.from_array(scale, step)], [
        helper.make_node("Cast", [small], [cast], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", [cast, step], [value.name]),
    ]
