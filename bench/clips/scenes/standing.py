"""A car that stands for an hour, hidden half of the time by buses: one sighting."""

import numpy as np

from bench.clips.cars import car, wall
from bench.clips.clip import Clip
from bench.clips.lens import GATE, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import during, through
from bench.clips.stage import Actor, Scene, stage

STANDS_M, BUS_M = 9.0, 5.5


def standing(
    seed: int,
    light: Light = DAY,
    *,
    seconds: float = 3600.0,
    frames_per_second: float = 1.0,
    lens: Lens = GATE,
) -> Clip:
    """Hidden and shown in turn for 4 to 90 seconds each, drawn alike: half of the time."""
    rng = np.random.default_rng([seed, 11])
    spans, t_s = [], 20.0
    while t_s < seconds:
        hides_s, shows_s = (float(np.exp(rng.uniform(np.log(4), np.log(90)))) for _ in range(2))
        spans.append((t_s, t_s + hides_s))
        t_s += hides_s + shows_s
    actors = [
        Actor(car(rng, light), through((0.0, 0.0, STANDS_M), (seconds, 0.0, STANDS_M))),
        Actor((wall(rng, light, 6.0, 3.0),), during(0.0, BUS_M, spans)),
    ]
    scene = Scene("standing-hour", seed, lens, light, seconds, actors, frames_per_second)
    return stage(scene, rng)
