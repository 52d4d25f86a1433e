#!/usr/bin/env bash
# fast-plate-ocr hands out one confidence a slot, not a character, and fast-alpr's picture shows their mean.
#
# The networks are made here and always say the same: two characters, half sure, then eight empty slots.
# Needs python3 with venv. About 40 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: fast-plate-ocr==1.1.0 fast-alpr==0.4.0 \
    open-image-models==0.6.0 onnxruntime==1.30.0 onnx==1.23.2 opencv-python-headless==5.0.0.93
} || { echo "could not install what this runs" >&2; exit 2; }

ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" - "$work" <<'EOF'
import os
import sys
from importlib.metadata import version

import fast_alpr.alpr
import numpy
import onnx
from fast_alpr import ALPR
from fast_alpr.base import BaseDetector
from onnx import TensorProto, helper, numpy_helper
from open_image_models.detection.core.base import BoundingBox, DetectionResult

os.chdir(sys.argv[1])
ALPHABET, SLOTS, TEXT, SURE = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_", 10, "XX", 0.5
answer = numpy.zeros((1, SLOTS, len(ALPHABET)), numpy.float32)
answer[0, :, ALPHABET.index("_")] = 1.0
answer[0, :len(TEXT)] = (1 - SURE) / (len(ALPHABET) - 1)
answer[0, :len(TEXT), ALPHABET.index("X")] = SURE

constant = helper.make_node("Constant", [], ["plate"], value=numpy_helper.from_array(answer))
picture = helper.make_tensor_value_info("input", TensorProto.UINT8, ["n", 64, 128, 3])
out = helper.make_tensor_value_info("plate", TensorProto.FLOAT, answer.shape)
graph = helper.make_graph([constant], "reader", [picture], [out])
onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), "reader.onnx")
with open("reader.yaml", "w") as config:
    config.write(f'max_plate_slots: {SLOTS}\nalphabet: "{ALPHABET}"\npad_char: "_"\n'
                 "img_height: 64\nimg_width: 128\nimage_color_mode: rgb\n")


class Whole(BaseDetector):
    def predict(self, frame):
        return [DetectionResult("plate", 0.9, BoundingBox(0, 0, frame.shape[1], frame.shape[0]))]


reader = ALPR(detector=Whole(), ocr_model=None, ocr_model_path="reader.onnx", ocr_config_path="reader.yaml")
frame = numpy.full((100, 300, 3), 200, numpy.uint8)
ocr = reader.predict(frame)[0].ocr
words, put = [], fast_alpr.alpr.cv2.putText
fast_alpr.alpr.cv2.putText = lambda **given: (words.append(given["text"]), put(**given))[1]
reader.draw_predictions(frame)

names = ("fast-plate-ocr", "fast-alpr", "open-image-models")
print(", ".join(f"{name} {version(name)}" for name in names))
print(f"One would guess: a text of {len(TEXT)} characters, each {SURE:.0%} sure, has {len(TEXT)} confidences and "
      f"is shown as {SURE:.0%}.")
print(f"Seen: {ocr.text!r} has {len(ocr.confidence)} confidences, the empty slots at "
      f"{ocr.confidence[-1]:.0%}; the picture says {words[-1]!r}.")
sys.exit(None if (ocr.text, len(ocr.confidence), words[-1]) == (TEXT, SLOTS, f"{TEXT} 90%") else "This has changed.")
EOF
