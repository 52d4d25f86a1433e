"""Light traffic: two lanes, one towards the camera, one away, a car every few seconds."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import drive
from bench.clips.stage import Actor, Scene, stage

FROM_M, TO_M = 26.0, 7.5
LANES_M = (-1.1, 1.1)


def traffic(
    seed: int,
    light: Light = DAY,
    *,
    seconds: float = 30.0,
    every_s: float = 6.0,
    lens: Lens = STREET,
) -> Clip:
    """At 25 to 35 mph; the first car comes after two seconds, the last leaves before the end."""
    rng = np.random.default_rng([seed, 2])
    actors = []
    for start_s in np.arange(2.0, seconds - 3.0, every_s):
        lane = int(rng.integers(2))
        ends = (FROM_M, TO_M) if lane == 0 else (TO_M, FROM_M)
        starts = float(start_s + rng.uniform(0, 0.5))
        path = drive(LANES_M[lane], starts, *ends, float(rng.uniform(25, 35)))
        actors.append(Actor(car(rng, light), path))
    return stage(Scene("light-traffic", seed, lens, light, seconds, actors), rng)
