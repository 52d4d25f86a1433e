"""Builds detector and reader from the models of the manifest: one place, so that camera, `read` and
demo see with the same eyes.
"""

from pathlib import Path

import cv2

from agent.vision.aligner import AligningDetector
from agent.vision.detector import OnnxPlateDetector
from agent.vision.issuer.issuer import Issuer
from agent.vision.models import load_model, model_entry, read_manifest
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.sessions import Session
from agent.vision.whole.limits import LONGEST
from agent.vision.whole.wholeness import Wholeness

READING = ("recognizer", "stacked", "reviewer")


def load_vision(
    threads: int = 1, models_dir: Path | None = None, longest_text: int = LONGEST
) -> tuple[AligningDetector, OnnxPlateReader]:
    """All seven networks, each with `threads` threads; OpenCV gets as many. `longest_text`:
    characters, as OnnxPlateReader's. Raises ModelError.
    """
    cv2.setNumThreads(threads)
    manifest = read_manifest(models_dir)

    def load(name: str) -> tuple[Session, float]:
        entry = model_entry(name, models_dir, manifest)
        return load_model(name, threads, models_dir, manifest), entry.threshold

    proposer = OnnxPlateDetector(*load("detector"))
    detector = AligningDetector(proposer, *load("aligner"))
    whole, issuer = Wholeness(*load("wholeness")), Issuer(*load("issuer"))
    (recognizer, _), (stacked, _), (reviewer, _) = map(load, READING)
    return detector, OnnxPlateReader(
        recognizer, whole, issuer, longest_text, stacked, reviewer=reviewer
    )
