"""Builds detector and reader from the models of the manifest: one place, so that camera, `read` and
demo see with the same eyes.
"""

from pathlib import Path

import cv2

from agent.vision.aligner import AligningDetector
from agent.vision.detector import OnnxPlateDetector
from agent.vision.issuer.issuer import Issuer
from agent.vision.models import SeldomAsked, load_model, model_entry, read_manifest
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.sessions import Session
from agent.vision.whole.limits import LONGEST
from agent.vision.whole.wholeness import Wholeness

SELDOM = {"issuer", "stacked", "reviewer"}  # asked of some plates only


def load_vision(
    threads: int = 1,
    models_dir: Path | None = None,
    longest_text: int = LONGEST,
    *,
    seldom_later: bool = False,
) -> tuple[AligningDetector, OnnxPlateReader]:
    """All seven networks, each with `threads` threads; OpenCV gets as many. `longest_text`:
    characters, as OnnxPlateReader's. `seldom_later`: who is asked seldom is opened at the first
    question, for a quick start. Raises ModelError.
    """
    cv2.setNumThreads(threads)
    manifest = read_manifest(models_dir)

    def load(name: str) -> tuple[Session | SeldomAsked, float]:
        entry = model_entry(name, models_dir, manifest)
        opened = SeldomAsked if seldom_later and name in SELDOM else load_model
        return opened(name, threads, models_dir, manifest), entry.threshold

    proposer = OnnxPlateDetector(*load("detector"))
    detector = AligningDetector(proposer, *load("aligner"))
    whole, issuer = Wholeness(*load("wholeness")), Issuer(*load("issuer"))
    (recognizer, _), (stacked, _), (reviewer, _) = map(load, ("recognizer", "stacked", "reviewer"))
    return detector, OnnxPlateReader(
        recognizer, whole, issuer, longest_text, stacked, reviewer=reviewer
    )
