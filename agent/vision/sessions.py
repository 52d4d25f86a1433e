"""Opens an onnxruntime session as a camera wants it: on the CPU, with few threads, which sleep
while they wait.
"""

import onnxruntime

# Under this name for whoever else holds one: only this package imports onnxruntime, as
# docs/design/telemetry.md explains
Session = onnxruntime.InferenceSession


def make_session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A CPU session over the ONNX file's bytes, with `threads` threads that sleep while they
    wait.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would burn a whole core between two frames; on a Pi that is heat.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(
        model, sess_options=options, providers=["CPUExecutionProvider"]
    )
