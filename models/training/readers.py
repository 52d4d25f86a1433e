"""The reader that ships, but for who says whether a plate is whole."""

from pathlib import Path

from agent.vision.models import load_model
from agent.vision.plate_views import Worth, worth
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.whole.second_look import Whole


def reader_with(whole: Whole, models: Path | None, worth: Worth = worth) -> OnnxPlateReader:
    """Without stacked characters and states. `models`: another folder with a manifest; `worth`: as
    OnnxPlateReader's.
    """
    recognizer, reviewer = (load_model(name, 1, models) for name in ("recognizer", "reviewer"))
    return OnnxPlateReader(recognizer, whole, worth=worth, reviewer=reviewer)
