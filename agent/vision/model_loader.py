"""Builds detector and reader from the models of the manifest: one place, so that camera, `read` and
demo see with the same eyes.
"""

from pathlib import Path

import cv2

from agent.vision.aligner import AligningDetector
from agent.vision.detector import OnnxPlateDetector
from agent.vision.issuer.issuer import Issuer
from agent.vision.models import load_model, model_entry
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.whole.limits import LONGEST
from agent.vision.whole.wholeness import Wholeness


def load_vision(
    threads: int = 1, models_dir: Path | None = None, longest_text: int = LONGEST
) -> tuple[AligningDetector, OnnxPlateReader]:
    """All six networks, each with `threads` threads; OpenCV gets as many. `longest_text`:
    characters, as OnnxPlateReader's. Raises ModelError.
    """
    cv2.setNumThreads(threads)
    proposer = OnnxPlateDetector(
        load_model("detector", threads, models_dir), model_entry("detector", models_dir).threshold
    )
    detector = AligningDetector(
        proposer,
        load_model("aligner", threads, models_dir),
        model_entry("aligner", models_dir).threshold,
    )
    whole = Wholeness(
        load_model("wholeness", threads, models_dir),
        model_entry("wholeness", models_dir).threshold,
    )
    issuer = Issuer(
        load_model("issuer", threads, models_dir), model_entry("issuer", models_dir).threshold
    )
    recognizer, stacked = (
        load_model(name, threads, models_dir) for name in ("recognizer", "stacked")
    )
    return detector, OnnxPlateReader(recognizer, whole, issuer, longest_text, stacked)
