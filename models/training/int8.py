"""Tries int8: quantises the first three networks statically, and prints what it costs and brings
beside fp32, in the same run.

    python -m models.training.int8

Calibrated on drawn samples. Writes nothing into models/: a network is shipped in int8 only when
this says that it wins.
"""

import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from agent.vision.grey import standardised
from agent.vision.sessions import make_session
from models.training.recognizer.samples import draw, seen

MODELS = Path(__file__).parents[1]
SAMPLES, ROUNDS, WARM_UP = 96, 60, 10
SEED = 31

Inputs = list[dict[str, NDArray]]


class Samples(CalibrationDataReader):
    """What calibration sees."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = iter(inputs)

    def get_next(self) -> dict[str, NDArray] | None:
        return next(self._inputs, None)


def inputs_of(name: str) -> Inputs:
    """Drawn plates as the network wants them; for the detector many of them strewn over a grey
    frame.
    """
    rng = np.random.default_rng(SEED)
    out: Inputs = []
    for _ in range(SAMPLES):
        crop = seen(rng, draw(rng), 0.6)
        if name == "recognizer":
            out.append({"crop": standardised(crop)[None, None]})
        elif name == "aligner":
            framed = cv2.copyMakeBorder(
                cv2.resize(crop, (60, 32)),
                16,
                16,
                18,
                18,
                cv2.BORDER_CONSTANT,
                value=int(rng.integers(0, 255)),
            )
            out.append({"crop": standardised(framed)[None, None]})
        else:
            frame = cv2.resize(rng.integers(0, 255, (12, 20), dtype=np.uint8), (640, 384))
            for _ in range(4):
                wide = int(rng.integers(24, 180))
                small = cv2.resize(
                    crop, (wide, max(8, wide * 2 // 5)), interpolation=cv2.INTER_AREA
                )
                x, y = int(rng.integers(0, 640 - wide)), int(rng.integers(0, 384 - small.shape[0]))
                frame[y : y + small.shape[0], x : x + wide] = small
            out.append({"frame": frame[None, None]})
    return out


def timed(sessions: list[InferenceSession], feed: dict[str, NDArray]) -> list[float]:
    """Median ms of CPU of each session, taking turns."""
    spent: list[list[float]] = [[] for _ in sessions]
    for turn in range(ROUNDS + WARM_UP):
        for session, times in zip(sessions, spent, strict=True):
            start = time.process_time()
            session.run(None, feed)
            if turn >= WARM_UP:
                times.append((time.process_time() - start) * 1e3)
    return [float(np.median(times)) for times in spent]


def main() -> None:
    """One line a network."""
    with tempfile.TemporaryDirectory() as folder:
        for path in sorted(MODELS.glob("*.onnx")):
            prepared, quantised = Path(folder) / "prepared.onnx", Path(folder) / "int8.onnx"
            quant_pre_process(str(path), str(prepared), skip_symbolic_shape=True)
            inputs = inputs_of(path.stem)
            options = {
                "quant_format": QuantFormat.QDQ,
                "per_channel": True,
                "activation_type": QuantType.QUInt8,
                "weight_type": QuantType.QInt8,
            }
            quantize_static(str(prepared), str(quantised), Samples(inputs), **options)
            sessions = [make_session(file.read_bytes(), 1) for file in (path, quantised)]
            full, small = timed(sessions, inputs[0])
            first = [[session.run(None, feed)[0] for feed in inputs] for session in sessions]
            off = float(np.mean([np.abs(a - b).mean() for a, b in zip(*first, strict=True)]))
            scale = float(np.mean([np.abs(a).mean() for a in first[0]]))
            sizes = path.stat().st_size, quantised.stat().st_size
            print(
                f"{path.stem}: int8 {sizes[1] / sizes[0]:.2f} of the size, "
                f"{small / full:.2f} of the time; first output off by {off / scale:.1%} on average",
                flush=True,
            )


if __name__ == "__main__":
    main()
