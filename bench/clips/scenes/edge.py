"""Cars whose plates the frame's edge cuts: never seen whole, so never to be told as sure."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import through
from bench.clips.stage import Actor, Scene, stage

STANDS_S, BETWEEN_S = 2.5, 2.5
AT_M = 11.0


def edge(seed: int, light: Light = DAY, *, cars: int = 4, lens: Lens = STREET) -> Clip:
    """Left and right in turn; a tenth to a half of the plate is outside. Nobody is readable."""
    rng = np.random.default_rng([seed, 7])
    actors, edge_m = [], lens.half_width_m(AT_M)
    for number in range(cars):
        panels, side = car(rng, light), 1 if number % 2 else -1
        width_m = panels[1].width_m
        x_m = side * (edge_m - width_m / 2 + width_m * float(rng.uniform(0.1, 0.5)))
        start_s = number * (STANDS_S + BETWEEN_S)
        path = through((start_s, x_m, AT_M), (start_s + STANDS_S, x_m, AT_M))
        actors.append(Actor(panels, path))
    seconds = cars * (STANDS_S + BETWEEN_S)
    return stage(Scene("edge", seed, lens, light, seconds, actors), rng)
