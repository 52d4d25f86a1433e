"""From pixels to plates: the seven networks, how they are loaded, and what their outputs mean."""

import os

# From 1.30 on, onnxruntime's Linux wheel reports each session to its maker: host look-ups, HTTPS, a
# device id and a queue under ~/.cache. Only this variable, set before the first import, stops it;
# `disable_telemetry_events()` comes too late (docs/design/telemetry.md).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
