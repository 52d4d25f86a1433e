"""Draws what the recogniser gets wrong with the most confidence, out of newly drawn plates: for the
model card.

python -m models.training.recognizer.failures docs/img/recognizer-failures.png
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from agent.vision.ctc import decode, softmax
from agent.vision.grey import standardised
from agent.vision.models import load_model
from agent.vision.plate_views import CONSIDERED
from agent.vision.syntax import weighed
from models.training import fonts
from models.training.recognizer.samples import draw, seen
from models.training.render.syntax import font_names

PLATES, SEED, HARDNESS = 3000, 90210, 0.9
COLUMNS, ROWS = 4, 3
WIDE, HIGH, CAPTION = 256, 96, 26


def main() -> None:
    """Draw, read, choose, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("to", type=Path)
    given = parser.parse_args()
    fonts.tell(font_names())
    session, rng = load_model("recognizer"), np.random.default_rng(SEED)
    wrong = []
    for _ in range(PLATES):
        plate = draw(rng)
        crop = seen(rng, plate, HARDNESS)
        logits, region = session.run(["logits", "region"], {"crop": standardised(crop)[None, None]})
        best = weighed(decode(softmax(logits[0]), CONSIDERED), softmax(region[0]))[0]
        if best.text != plate.text:
            wrong.append((best.probability, crop, plate.text, best.text))
    wrong.sort(key=lambda one: -one[0])
    tiles = []
    for said, crop, drawn, read in wrong[: COLUMNS * ROWS]:
        tile = np.full((HIGH + CAPTION, WIDE + 4, 3), 255, np.uint8)
        tile[:HIGH, :WIDE] = cv2.cvtColor(
            cv2.resize(crop, (WIDE, HIGH), interpolation=cv2.INTER_CUBIC), cv2.COLOR_GRAY2BGR
        )
        cv2.putText(
            tile,
            f"{drawn} read {read} {said:.2f}",
            (2, HIGH + 18),
            cv2.FONT_HERSHEY_SIMPLEX,
            0.45,
            (20, 20, 20),
            1,
            cv2.LINE_AA,
        )
        tiles.append(tile)
    cv2.imwrite(
        str(given.to),
        np.vstack([np.hstack(tiles[i : i + COLUMNS]) for i in range(0, len(tiles), COLUMNS)]),
    )
    print(
        f"{len(wrong)} of {PLATES} wrong, {sum(one[0] >= 0.9 for one in wrong)} of these with 0.9 "
        f"or more; the {len(tiles)} surest are in {given.to}"
    )


if __name__ == "__main__":
    main()
