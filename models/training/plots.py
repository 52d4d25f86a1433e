"""Draws a training's history: one curve for each loss, and the learning rate under them.

python -m models.training.plots ../train/recognizer
"""

import csv
import sys
from pathlib import Path

from matplotlib import pyplot as plt

from models.training.loop import HISTORY

NOT_A_LOSS = {"minutes", "step", "rate"}


def draw(folder: Path) -> Path:
    """`folder`/history.png from its history.csv."""
    plt.switch_backend("Agg")
    with (folder / HISTORY).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        message = f"{folder / HISTORY}: no line yet (a training writes one every minute)"
        raise ValueError(message)
    minutes = [float(row["minutes"]) for row in rows]
    figure, (upper, lower) = plt.subplots(
        2, 1, figsize=(8, 6), sharex=True, height_ratios=(3, 1), layout="constrained"
    )
    for name in rows[0]:
        if name not in NOT_A_LOSS:
            upper.plot(minutes, [float(row[name]) for row in rows], label=name)
    upper.set(ylabel="loss", yscale="log", title=folder.name)
    upper.legend()
    upper.grid(alpha=0.3)
    lower.plot(minutes, [float(row["rate"]) for row in rows], color="grey")
    lower.set(xlabel="minutes", ylabel="rate")
    figure.savefig(folder / "history.png", dpi=120)
    plt.close(figure)
    return folder / "history.png"


if __name__ == "__main__":
    for given in sys.argv[1:]:
        print(draw(Path(given)))
