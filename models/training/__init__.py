"""How the shipped networks were trained; never part of an installed camera."""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # before onnxruntime is imported; see docs/design/telemetry.md
