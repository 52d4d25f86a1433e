#!/usr/bin/env bash
# open-image-models answers "no plates" when its network could not run at all.
#
# A float16 export opens without complaint, and then finds nothing in any picture, with a warning in the log.
# The two networks are made here: each always says one plate, and they differ in their input's type only.
# Needs python3 with venv. About 40 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: \
    open-image-models==0.6.0 onnxruntime==1.30.0 onnx==1.23.2 opencv-python-headless==5.0.0.93
} || { echo "could not install what this runs" >&2; exit 2; }

ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" - "$work" 2>"$work/err" <<'EOF' || { cat "$work/err" >&2; exit 1; }
import os
import sys
from importlib.metadata import version

import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper
from open_image_models.detection.core.yolo_v9 import YoloV9Detector

os.chdir(sys.argv[1])
ONE_PLATE = numpy.array([[0, 100, 100, 200, 140, 0, 0.9]], numpy.float32)  # picture, box, class, score


def found(name, kind):
    constant = helper.make_node("Constant", [], ["output"], value=numpy_helper.from_array(ONE_PLATE))
    picture = helper.make_tensor_value_info("images", kind, [1, 3, 384, 384])
    out = helper.make_tensor_value_info("output", TensorProto.FLOAT, ONE_PLATE.shape)
    graph = helper.make_graph([constant], "detector", [picture], [out])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, name)
    detector = YoloV9Detector(name, ["plate"])
    return len(detector.predict(numpy.zeros((384, 384, 3), numpy.uint8)))


whole, half = found("float.onnx", TensorProto.FLOAT), found("half.onnx", TensorProto.FLOAT16)
print(f"open-image-models {version('open-image-models')}, onnxruntime {version('onnxruntime')}")
print("One would guess: a network that cannot run raises an error.")
print(f"Seen: the float32 network finds {whole} plate, the float16 one returns {half} plates and raises nothing.")
sys.exit(None if (whole, half) == (1, 0) else "This has changed.")
EOF
echo "Its only word of it: $(grep -o 'An error occurred during model inference' "$work/err")"
