"""How the shipped networks were trained; never part of an installed camera."""

import os

# Set before onnxruntime is imported (docs/design/telemetry.md).
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
