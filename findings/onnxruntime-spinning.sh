#!/usr/bin/env bash
# A second thread makes onnxruntime burn many times the CPU between runs: its pool spins while it waits.
#
# Needs python3 with venv, two cores. About 40 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
[ "$(nproc)" -ge 2 ] || { echo "needs two cores" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: onnxruntime==1.30.0 onnx==1.23.2 numpy==2.4.6
} || { echo "could not install what this runs" >&2; exit 2; }

ORT_DISABLE_TELEMETRY=1 "$work/venv/bin/python" - <<'EOF'
import statistics
import sys
import time

import numpy
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

RUNS, PAUSE_S = 60, 0.03  # a camera's pace
shape = [1, 3, 96, 320]
weights, nodes, last, depth = [], [], "x", shape[1]
for step, wide in enumerate((16, 32, 32, 64)):
    kernel = numpy.full((wide, depth, 3, 3), 0.01, numpy.float32)
    weights.append(numpy_helper.from_array(kernel, f"w{step}"))
    nodes.append(helper.make_node("Conv", [last, f"w{step}"], [f"y{step}"], pads=[1] * 4, strides=[2, 2]))
    last, depth = f"y{step}", wide
graph = helper.make_graph(
    nodes, "convolutions", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info(last, TensorProto.FLOAT, None)], weights)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
data = {"x": numpy.zeros(shape, numpy.float32)}


def cpu_ms(threads, spinning):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    if not spinning:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, ["CPUExecutionProvider"])
    session.run(None, data)
    begun = time.process_time()
    for _ in range(RUNS):
        session.run(None, data)
        time.sleep(PAUSE_S)
    return 1000 * (time.process_time() - begun) / RUNS


settings = {"one thread": (1, True), "two threads": (2, True), "two threads that may not spin": (2, False)}
rounds = [{name: cpu_ms(*how) for name, how in settings.items()} for _ in range(3)]
seen = {name: statistics.median(one[name] for one in rounds) for name in settings}
print(f"onnxruntime {onnxruntime.__version__}")
print("One would guess: two threads share the same work, so a run costs about the same CPU.")
print("Seen, CPU a run: " + "; ".join(f"{name} {ms:.1f} ms" for name, ms in seen.items()) + ".")
one, two, still = seen.values()
sys.exit(None if two > 4 * one and two > 4 * still else "This has changed.")
EOF
