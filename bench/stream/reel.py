"""Frames as a raw file: what is measured reads them without decoding, in whichever build it runs.

A reel is a folder with `frames.raw` (H×W×3 BGR, uint8, one after the other) and `reel.json`
(`width`, `height`, `frames_per_second`, `length`). No text
stands in either but the plates in the pictures.
"""

import json
from collections.abc import Callable
from pathlib import Path

from bench.clips.clip import Clip


def write_reel(clip: Clip, folder: Path, done: Callable[[], None]) -> Path:
    """`done` is called after each frame; a second of 1280×720 at 15 frames takes 42 MB."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "width": clip.width_px,
        "height": clip.height_px,
        "frames_per_second": clip.frames_per_second,
        "length": clip.length,
    }
    (folder / "reel.json").write_text(json.dumps(facts), encoding="utf-8")
    with (folder / "frames.raw").open("wb") as file:
        for frame in clip.frames():
            file.write(frame.image.tobytes())
            done()
    return folder
