"""Tiny ONNX files in other people's layouts, made on the spot.

What they answer depends on the colour they see, so that swapped channels show.
"""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

HEIGHT, WIDTH = 64, 96  # of the detectors' input

# As x0, y0, x1, y1 in px of the input. The mean of red, green and blue (0–1) is the confidence of
# the first, second and third.
BOXES = ((10.0, 20.0, 40.0, 30.0), (50.0, 20.0, 80.0, 30.0), (10.0, 40.0, 40.0, 50.0))

CONFIG = {
    "max_plate_slots": 3,
    "alphabet": "ABC_",
    "pad_char": "_",
    "img_height": 16,
    "img_width": 24,
    "image_color_mode": "rgb",
}


def constant(name, values):
    return numpy_helper.from_array(np.asarray(values, np.float32), name)


def save(path: Path, nodes, inputs, outputs, constants) -> Path:
    shapes = numpy_helper.from_array(np.array([2, 3], np.int64), "sides")
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, [*constants, shapes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    path.write_bytes(model.SerializeToString())
    return path


def reshape(given, name, shape):
    return numpy_helper.from_array(np.array(shape, np.int64), f"{name}_shape"), helper.make_node(
        "Reshape", [given, f"{name}_shape"], [name]
    )


def detector(
    path: Path,
    layout: str,
    boxes=BOXES,
    classes=(0, 0, 0),
    input_shape=(1, 3, HEIGHT, WIDTH),
    kind=TensorProto.FLOAT,
) -> Path:
    """`layout`: sevens, sixes, centres.

    Each box's confidence is the mean of its colour: boxes 0, 3, … red, 1, 4, … green, 2, 5, … blue.
    """
    count = len(boxes)
    picked = numpy_helper.from_array(np.arange(count, dtype=np.int64) % 3, "picked")
    corners = np.array(boxes, np.float32)
    centred = np.concatenate(
        [(corners[:, :2] + corners[:, 2:]) / 2, corners[:, 2:] - corners[:, :2]], axis=1
    )
    numbers = np.array(classes, np.float32)[:, None]
    before, after, axis, shape, dims = {
        "sevens": (
            np.concatenate([np.zeros((count, 1)), corners, numbers], axis=1),
            None,
            1,
            [count, 1],
            ["found", 7],
        ),
        "sixes": (corners[None], numbers[None], 2, [1, count, 1], [1, "found", 6]),
        "centres": (centred.T[None], None, 1, [1, 1, count], [1, 5, count]),
    }[layout]
    shape_constant, shaping = reshape("chosen", "confidence", shape)
    constants = [picked, constant("before", before), shape_constant]
    parts = ["before", "confidence"]
    if after is not None:
        constants.append(constant("after", after))
        parts.append("after")
    nodes = [
        helper.make_node("ReduceMean", ["images", "sides"], ["means"], keepdims=0),  # 1×3
        helper.make_node("Gather", ["means", "picked"], ["chosen"], axis=1),
        shaping,
        helper.make_node("Concat", parts, ["output"], axis=axis),
    ]
    inputs = [helper.make_tensor_value_info("images", kind, input_shape)]
    return save(
        path,
        nodes,
        inputs,
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, dims)],
        constants,
    )


def recognizer(path: Path, *, channels=3, flat=False, logits=False, height=16, width=24) -> Path:
    """Three slots over A, B, C, _: the first says which colour it sees (red A, green B, blue C;
    grey: white A, black B), the others are empty.

    `flat`: slots and letters in one dimension. `logits`: not adding up to 1.
    """
    # To N×C×H×W, mean, 0–1.
    to_first, add = np.zeros((channels, 4), np.float32), np.zeros(4, np.float32)
    if channels == 3:
        to_first[:, :3] = np.eye(3)
    else:
        to_first[0, :2], add[1] = (1, -1), 1
    scale = 8.0 if logits else 1.0
    rest = np.zeros((1, 8), np.float32)
    rest[0, [3, 7]] = scale
    shape_constant, shaping = reshape("joined", "plate", [1, 12] if flat else [1, 3, 4])
    nodes = [
        helper.make_node("Cast", ["input"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["first"], perm=[0, 3, 1, 2]),
        helper.make_node("ReduceMean", ["first", "sides"], ["means"], keepdims=0),
        helper.make_node("Div", ["means", "white"], ["share"]),
        helper.make_node("MatMul", ["share", "to_first"], ["turned"]),
        helper.make_node("Add", ["turned", "add"], ["slot"]),
        helper.make_node("Mul", ["slot", "scale"], ["scaled"]),
        helper.make_node("Concat", ["scaled", "rest"], ["joined"], axis=1),
        shaping,
    ]
    constants = [
        constant("white", 255.0),
        constant("to_first", to_first),
        constant("add", add),
        constant("scale", scale),
        constant("rest", rest),
        shape_constant,
    ]
    inputs = [
        helper.make_tensor_value_info(
            "input", TensorProto.UINT8, ["batch", height, width, channels]
        )
    ]
    outputs = [
        helper.make_tensor_value_info(
            "plate", TensorProto.FLOAT, ["batch", 12] if flat else ["batch", 3, 4]
        )
    ]
    return save(path, nodes, inputs, outputs, constants)


def two_inputs(path: Path) -> Path:
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])
        for name in ("images", "more")
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])]
    return save(
        path, [helper.make_node("Add", ["images", "more"], ["output"])], inputs, outputs, []
    )


def passing_on(path: Path, shape=(1, 3, HEIGHT, WIDTH)) -> Path:
    """Gives back what it gets."""
    tensors = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)]
        for name in ("images", "output")
    ]
    return save(path, [helper.make_node("Identity", ["images"], ["output"])], *tensors, [])


def write_config(path: Path, **changes) -> Path:
    """`None` leaves a key out."""
    told = {key: value for key, value in (CONFIG | changes).items() if value is not None}
    path.write_text(
        "".join(
            f"{key}: {value!r}\n" if isinstance(value, str) else f"{key}: {str(value).lower()}\n"
            for key, value in told.items()
        ),
        encoding="utf-8",
    )
    return path
