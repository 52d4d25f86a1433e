"""One to six plates in view at once: a slow convoy in up to three lanes."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import WIDE, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import MPS_A_MPH, drive
from bench.clips.stage import Actor, Scene, stage

FROM_M, TO_M = 17.0, 6.0
LANES_M = {1: (0.0,), 2: (-1.0, 1.0), 3: (-1.9, 0.0, 1.9)}
SPACING_M = 5.0
TAIL_S = 2.8  # long enough for a track to end by itself


def several(
    seed: int,
    plates: int,
    light: Light = DAY,
    *,
    mph: float = 8.0,
    seconds: float = 8.0,
    lens: Lens = WIDE,
) -> Clip:
    """About that many plates in view from the third second on: two rows where one is too few."""
    rng = np.random.default_rng([seed, plates, 4])
    lanes = LANES_M[min(plates, 3) if plates != 4 else 2]
    rows = -(-plates // len(lanes))
    every_s = (SPACING_M if rows > 1 else FROM_M - TO_M) / (mph * MPS_A_MPH)
    actors = []
    for number, start_s in enumerate(np.arange(0.0, seconds, every_s)):
        for lane, x_m in enumerate(lanes):
            if number % rows * len(lanes) + lane < plates:
                starts = float(start_s + rng.uniform(0, 0.3))
                actors.append(Actor(car(rng, light), drive(x_m, starts, FROM_M, TO_M, mph)))
    takes_s = (FROM_M - TO_M) / (mph * MPS_A_MPH) + TAIL_S
    name = f"plates-{plates}"
    return stage(Scene(name, seed, lens, light, seconds + takes_s, actors), rng)
