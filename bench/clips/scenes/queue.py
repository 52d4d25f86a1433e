"""A queue at a light: each car moves up, and stands for a while where another has stood."""

from itertools import pairwise

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import through
from bench.clips.stage import Actor, Scene, stage

PLACES_M = (26.0, 20.0, 15.0, 10.6, 6.0)
STANDS_S, MOVES_S = 3.0, 1.5


def queue(seed: int, light: Light = DAY, *, cars: int = 4, lens: Lens = STREET) -> Clip:
    """Towards the camera, in one lane; whoever reaches the first place drives off after it."""
    rng = np.random.default_rng([seed, 6])
    beat_s, actors = STANDS_S + MOVES_S, []
    for number in range(cars):
        stops = []
        for step, (here, after) in enumerate(pairwise(PLACES_M)):
            leaves = (number + step) * beat_s + 0.1 * number
            stops += [(leaves, 0.0, here), (leaves + MOVES_S, 0.0, after)]
        actors.append(Actor(car(rng, light), through(*stops)))
    seconds = (cars + len(PLACES_M) - 2) * beat_s
    return stage(Scene("queue", seed, lens, light, seconds, actors), rng)
