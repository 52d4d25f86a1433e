"""How the shipped networks were trained; never part of an installed camera."""

import os

# before onnxruntime is imported; see docs/design/telemetry.md
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
