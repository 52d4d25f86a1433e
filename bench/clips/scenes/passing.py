"""Cars that pass one after another at one speed, in one light, towards the camera."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import FAR, Lens
from bench.clips.light import Light
from bench.clips.scenes.paths import MPS_A_MPH, drive
from bench.clips.stage import Actor, Scene, stage

FROM_M, TO_M = 48.0, 11.0
HEADWAY_S = 2.0
TAIL_S = 2.8  # long enough for a track to end by itself


def passing(seed: int, mph: float, light: Light, *, cars: int = 4, lens: Lens = FAR) -> Clip:
    """Two seconds from car to car: another one is in view when the first has not left."""
    rng = np.random.default_rng([seed, round(mph), *light.name.encode()])
    actors = [
        Actor(
            car(rng, light),
            drive(float(rng.uniform(-0.5, 0.5)), 0.3 + number * HEADWAY_S, FROM_M, TO_M, mph),
        )
        for number in range(cars)
    ]
    seconds = TAIL_S + (cars - 1) * HEADWAY_S + (FROM_M - TO_M) / (mph * MPS_A_MPH)
    name = f"passing-{mph:.0f}mph-{light.name}"
    return stage(Scene(name, seed, lens, light, seconds, actors), rng)
