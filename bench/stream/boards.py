"""What a Raspberry Pi 4 and 5 would take, by operation counts: an estimate, until one is measured.

A network's multiply-accumulates are counted from its graph, and this machine's speed at them is
measured. A board's speed is its cores' peak by their maker's tables, times the share of the peak
that such networks reach. Whatever else a stream costs is taken to grow by the same factor.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agent.vision.detector import INPUT_HEIGHT_PX, INPUT_WIDTH_PX
from agent.vision.models import load_model
from bench.stream.macs import macs

ROOT = Path(__file__).resolve().parents[2]
INPUTS = {"detector": (1, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX)}
RUNS = 100
# Of the peak: small convolutions in onnxruntime on one core reach about half; from a poor case to a
# good one.
SHARES = (0.35, 0.5, 0.65)


@dataclass(frozen=True, slots=True)
class Board:
    """`macs_a_cycle`: fp32 multiply-accumulates of one core (NEON: four lanes a pipe)."""

    name: str
    clock_ghz: float
    macs_a_cycle: int

    @property
    def peak_gmacs(self) -> float:
        return self.clock_ghz * self.macs_a_cycle


BOARDS = (
    Board("Raspberry Pi 4 (Cortex-A72, 1.8 GHz)", 1.8, 4),
    Board("Raspberry Pi 5 (Cortex-A76, 2.4 GHz)", 2.4, 8),
)


@dataclass(frozen=True, slots=True)
class Estimate:
    """By how much longer one core of a board takes than one of this machine: `likely`, within
    `quick` to `slow`.
    """

    board: str
    quick: float
    likely: float
    slow: float


def detector_gmacs() -> float:
    """This machine's speed at our detector, 10^9 multiply-accumulates a CPU second, one thread."""
    session = load_model("detector", 1)
    frame = np.zeros(INPUTS["detector"], np.uint8)
    taken_s = []
    for _ in range(RUNS):
        begun_s = time.process_time()
        session.run(["score", "box"], {"frame": frame})
        taken_s.append(time.process_time() - begun_s)
    counted = macs(ROOT / "models" / "detector.onnx", INPUTS["detector"])
    return counted / float(np.median(taken_s)) / 1e9


def estimates(here_gmacs: float) -> list[Estimate]:
    """One a board."""
    poor, usual, good = SHARES
    return [
        Estimate(
            board.name,
            *(here_gmacs / (board.peak_gmacs * share) for share in (good, usual, poor)),
        )
        for board in BOARDS
    ]
