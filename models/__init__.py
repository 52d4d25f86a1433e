"""The shipped networks (onnx), their manifest and cards, and how they were trained."""
