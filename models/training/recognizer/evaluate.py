"""Measures the recogniser on truth boxes: shares of plates read exactly, per folder, and nothing that names a plate.

    python -m models.training.recognizer.evaluate --model models/recognizer.onnx [--sweep]

The truth lies in openalpr's endtoend layout: FOLDER/REGION/NAME.txt, tab-separated image, x, y, width, height, text.
Folded: O and Q count as 0, I as 1. These folders are measure-only; nothing here trains.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.sighting import PlateBox
from agent.vision import recognizer
from agent.vision.ctc import decode, softmax, weighed
from agent.vision.sessions import make_session
from models.training.render.syntax import REGIONS

FOLD = str.maketrans("OQI", "001")
REGIONS_MEASURED = ("us", "eu", "br")
SWEEP = ((0.0, 0.0), (0.02, 0.03), (0.03, 0.05), (0.03, 0.08), (0.05, 0.05), (0.05, 0.1), (0.08, 0.1))


@dataclass(frozen=True, slots=True)
class Truth:
    """One labelled plate. `image`: H×W×3 BGR."""

    image: NDArray[np.uint8]
    box: PlateBox
    text: str


def labelled(folder: Path) -> Iterator[Truth]:
    """Every plate of one region's folder."""
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip():
                name, x, y, width, height, text = line.rstrip().split("\t")
                left, top, w, h = float(x), float(y), float(width), float(height)
                corners = ((left, top), (left + w, top), (left + w, top + h), (left, top + h))
                plain = "".join(c for c in text.upper() if c.isascii() and c.isalnum())
                yield Truth(cv2.imread(str(path.parent / name)), PlateBox((left, top, w, h), corners, 1.0), plain)


def shares(session, truths: list[Truth], region: str, jitter: float = 0.0) -> dict[str, float]:
    """Exact, exact folded, folded among the first five, right region: 0–1. `jitter`: box error, share of its sides (standard deviation)."""
    rng = np.random.default_rng(5)
    hits = dict.fromkeys(("exact", "folded", "top5", "region"), 0)
    has_region = any(output.name == "region" for output in session.get_outputs())
    for truth in truths:
        x, y, w, h = truth.box.box
        dx, dy, dw, dh = rng.normal(0, jitter, 4) if jitter else np.zeros(4)
        box = PlateBox((x + dx * w, y + dy * h, w * (1 + dw), h * (1 + dh)), truth.box.corners, 1.0)
        crop = recognizer.network_input(truth.image, box)[None, None]
        readings = [r.text for r in weighed(decode(softmax(session.run(["logits"], {"crop": crop})[0][0]), 5))]
        wanted = truth.text.translate(FOLD)
        hits["exact"] += readings[0] == truth.text
        hits["folded"] += readings[0].translate(FOLD) == wanted
        hits["top5"] += any(r.translate(FOLD) == wanted for r in readings)
        if has_region:
            guess = REGIONS[int(session.run(["region"], {"crop": crop})[0][0].argmax())]
            hits["region"] += guess == region or {guess, region} == {"uk", "eu"}
    return {name: count / max(1, len(truths)) for name, count in hits.items()}


def main() -> None:
    """Print aggregate figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", type=Path, default=Path("models/recognizer.onnx"))
    parser.add_argument("--truth", type=Path, default=Path("../shared/plates/benchmark_dev"))
    parser.add_argument("--sweep", action="store_true", help="try other margins")
    parser.add_argument("--jitter", type=float, default=0.0, help="box error, share of its sides")
    given = parser.parse_args()
    session = make_session(given.model.read_bytes(), 1)
    truths = {region: list(labelled(given.truth / region)) for region in REGIONS_MEASURED}
    for margins in SWEEP if given.sweep else ((recognizer.MARGIN_X, recognizer.MARGIN_Y),):
        recognizer.MARGIN_X, recognizer.MARGIN_Y = margins
        for region, plates in truths.items():
            measured = shares(session, plates, region, given.jitter)
            figures = "  ".join(f"{name} {share:6.1%}" for name, share in measured.items())
            print(f"margin {margins[0]:.2f} {margins[1]:.2f}  {region} {len(plates):4d}  {figures}", flush=True)


if __name__ == "__main__":
    main()
