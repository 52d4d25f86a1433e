"""Multiply-accumulates of an ONNX network, from its graph: convolutions and matrix products, which
are nearly all of its work.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path

import onnx
from onnx import shape_inference

PRODUCTS = {"MatMul", "Gemm"}


def macs(path: Path, shape: Sequence[int]) -> int:
    """For one run with an input of that shape."""
    model = onnx.load(str(path))
    (given,) = [
        one
        for one in model.graph.input
        if one.name not in {weight.name for weight in model.graph.initializer}
    ]
    for dimension, size in zip(given.type.tensor_type.shape.dim, shape, strict=True):
        dimension.dim_value = size
    del model.graph.value_info[:]
    for one in model.graph.output:  # so that a free dimension is worked out anew
        one.type.tensor_type.ClearField("shape")
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    shapes = {
        one.name: [dimension.dim_value for dimension in one.type.tensor_type.shape.dim]
        for one in (*inferred.graph.value_info, *inferred.graph.output, *inferred.graph.input)
    }
    shapes |= {weight.name: list(weight.dims) for weight in model.graph.initializer}
    return sum(_of(node, shapes) for node in inferred.graph.node)


def _of(node: onnx.NodeProto, shapes: Mapping[str, Sequence[int]]) -> int:
    if node.op_type == "Conv":
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type in PRODUCTS:
        transposed = any(one.name == "transA" and one.i for one in node.attribute)
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-2 if transposed else -1]
    return 0
