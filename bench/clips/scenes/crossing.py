"""Two cars whose ways cross in the picture; the nearer one hides the other for a moment."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import through
from bench.clips.stage import Actor, Scene, stage

TAIL_S = 2.5  # long enough for a track to end by itself


def crossing(seed: int, light: Light = DAY, *, lens: Lens = STREET) -> Clip:
    """From the far left to the near right and the other way round, a second apart."""
    rng = np.random.default_rng([seed, 5])
    takes_s, behind_s = float(rng.uniform(2.2, 3.2)), float(rng.uniform(0.6, 1.0))
    first = through((0.3, -1.5, 20.0), (0.3 + takes_s, 1.6, 8.0), yaw_rad=0.2)
    starts = 0.3 + behind_s
    second = through((starts, 1.5, 20.0), (starts + takes_s, -1.6, 8.0), yaw_rad=-0.2)
    actors = [Actor(car(rng, light), first), Actor(car(rng, light), second)]
    return stage(Scene("crossing", seed, lens, light, starts + takes_s + TAIL_S, actors), rng)
