"""The next car on the same spot: two of one fleet, with consecutive numbers, at a gate."""

import numpy as np

from bench.clips.cars import car
from bench.clips.clip import Clip
from bench.clips.lens import GATE, Lens
from bench.clips.light import DAY, Light
from bench.clips.scenes.paths import through
from bench.clips.stage import Actor, Scene, stage

PAIRS = 150
LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"  # issuers leave out what looks like a digit
STANDS_M, NEAR_M, FAR_M = 9.0, 4.5, 22.0
COMES_S, STANDS_S, GONE_S = 1.0, 3.0, 1.5


def next_car(
    seed: int, light: Light = DAY, *, frames_per_second: float = 5.0, lens: Lens = GATE
) -> Clip:
    """The first stands, drives off; a second and a half later the next stands there."""
    rng = np.random.default_rng([seed, 12])
    letters = "".join(LETTERS[int(rng.integers(len(LETTERS)))] for _ in range(3))
    first = int(rng.integers(1000, 9999))
    actors, begins = [], 0.2
    for number in (first, first + 1):
        stands = begins + COMES_S
        leaves = stands + STANDS_S
        path = through(
            (begins, 0.0, NEAR_M),
            (stands, 0.0, STANDS_M),
            (leaves, 0.0, STANDS_M),
            (leaves + COMES_S, 0.0, FAR_M),
        )
        actors.append(Actor(car(rng, light, f"{letters}{number}", "us"), path))
        begins = leaves + COMES_S + GONE_S
    seconds = begins + 1.0  # long enough for a track to end by itself
    return stage(Scene("next-car", seed, lens, light, seconds, actors, frames_per_second), rng)
