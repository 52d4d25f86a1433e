#!/usr/bin/env bash
# onnxruntime's Linux wheel writes a device id into the home folder when a session opens.
#
# Calling disable_telemetry_events() first does not prevent it, ORT_DISABLE_TELEMETRY=1 does.
# It runs in a network namespace of its own, so that nothing leaves this machine.
# Needs python3 with venv, unshare. About 40 s, 600 s at most.
set -euo pipefail
[ "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=60 600 bash "$0"

command -v python3 >/dev/null || { echo "needs python3: apt-get install python3-venv" >&2; exit 2; }
alone=(unshare --map-root-user --net)
"${alone[@]}" true 2>/dev/null || alone=(unshare --net)
"${alone[@]}" true || { echo "needs unshare --net: apt-get install util-linux, or root" >&2; exit 2; }
work=$(mktemp -d)
trap 'trap "" TERM; rm -rf "$work"' EXIT
trap 'exit 124' TERM # at the time limit the folder goes too
{ python3 -m venv "$work/venv" && "$work/venv/bin/pip" install --quiet \
    --disable-pip-version-check --only-binary :all: onnxruntime==1.30.0 onnx==1.23.2 numpy==2.4.6
} || { echo "could not install what this runs" >&2; exit 2; }

cat >"$work/session.py" <<'EOF'
import sys
import time

import onnxruntime
from onnx import TensorProto, helper

if "switch" in sys.argv:
    onnxruntime.disable_telemetry_events()
ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "one", ends[:1], ends[1:])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
time.sleep(2)
EOF

files() { # FOLDER ARGUMENT ENVIRONMENT…: how many files a session leaves in that home folder
    mkdir "$work/$1"
    env -u ORT_DISABLE_TELEMETRY HOME="$work/$1" XDG_CACHE_HOME="$work/$1/cache" TMPDIR="$work" "${@:3}" \
        "${alone[@]}" "$work/venv/bin/python" "$work/session.py" "$2"
    find "$work/$1" -name 'deviceid*' -type f | wc -l
}
plain=$(files plain none)
switched=$(files switched switch)
variable=$(files variable none ORT_DISABLE_TELEMETRY=1)

"$work/venv/bin/pip" list 2>/dev/null | grep onnxruntime
echo "One would guess: opening a model writes nothing, or disable_telemetry_events() sees to it."
echo "Seen, device ids left: $plain as it comes, $switched after disable_telemetry_events(), $variable with ORT_DISABLE_TELEMETRY=1."
[ "$plain $switched $variable" = "1 1 0" ] || { echo "This has changed." >&2; exit 1; }
