"""A lamp post before the plate: cars that pass behind it, and one that stands behind it."""

import numpy as np

from bench.clips.cars import car, post
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import through
from bench.clips.stage import Actor, Scene, stage

POST_M = (0.0, 6.0)
STANDS_M = 11.0


def hidden_pass(seed: int, light: Light = DAY, *, lens: Lens = STREET) -> Clip:
    """A slow car from left to right: readable, hidden at a side, hidden, readable again."""
    rng = np.random.default_rng([seed, 8])
    path = through((0.2, -2.2, STANDS_M), (4.2, 2.2, STANDS_M))
    actors = [Actor(car(rng, light), path), _post(light)]
    return stage(Scene("hidden-pass", seed, lens, light, 7.0, actors), rng)


def hidden_stand(seed: int, light: Light = DAY, *, lens: Lens = STREET) -> Clip:
    """A car that stands with one to three characters behind the post: not readable."""
    rng = np.random.default_rng([seed, 9])
    panels = car(rng, light)
    aside = float(rng.uniform(-0.4, 0.4)) * panels[1].width_m
    path = through((0.0, aside, STANDS_M), (8.0, aside, STANDS_M))
    return stage(
        Scene("hidden-stand", seed, lens, light, 10.5, [Actor(panels, path), _post(light)]), rng
    )


def _post(light: Light) -> Actor:
    x_m, z_m = POST_M
    return Actor((post(light, width_m=0.06),), through((0.0, x_m, z_m), (1e6, x_m, z_m)))
