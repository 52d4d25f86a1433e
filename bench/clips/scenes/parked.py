"""A car that is parked in view all the time, while a few others drive by."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import drive, through
from bench.clips.stage import Actor, Scene, stage

STANDS_M = (1.15, 11.0)


def parked(
    seed: int, light: Light = DAY, *, seconds: float = 30.0, passers: int = 0, lens: Lens = STREET
) -> Clip:
    """`passers`: cars in the other lane, evenly spread over the time."""
    rng = np.random.default_rng([seed, 3])
    x_m, z_m = STANDS_M
    actors = [Actor(car(rng, light), through((0.0, x_m, z_m), (seconds, x_m, z_m)))]
    for number in range(passers):
        start_s = seconds * (number + 0.5) / passers
        actors.append(Actor(car(rng, light), drive(-1.1, start_s, 26.0, 7.5, 25.0)))
    return stage(Scene("parked", seed, lens, light, seconds, actors), rng)
