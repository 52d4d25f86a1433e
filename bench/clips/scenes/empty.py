"""An empty street: noise, drifting light, swaying trees, rain; at night a headlamp's sweep."""

from math import pi, sin

import cv2
import numpy as np

from agent.core.reading.sighting import Image
from bench.clips.cars import tree
from bench.clips.clip import Clip
from bench.clips.lens import STREET, Lens
from bench.clips.light import DAY, Light
from bench.clips.stage import Actor, Path, Pose, Scene, stage

TREES_M = 17.0
SWEEP_S, SWEEP_EVERY_S = 2.0, 8.0


def empty(
    seed: int, light: Light = DAY, *, seconds: float = 30.0, trees: int = 2, lens: Lens = STREET
) -> Clip:
    """Nothing to read in it, and much that is not quite still."""
    rng = np.random.default_rng([seed, 10])
    actors, edge_m = [], lens.half_width_m(TREES_M)
    for number in range(trees):
        x_m = (1 if number % 2 else -1) * edge_m * float(rng.uniform(0.75, 0.95))
        sway = swaying(x_m, float(rng.uniform(0.02, 0.06)), float(rng.uniform(1.5, 3.0)))
        actors.append(Actor((tree(rng, light, 1.3, 2.2),), sway, airy=True))
    extra = (sweep,) if light.grey else ()
    name = f"empty-{light.name}"
    return stage(Scene(name, seed, lens, light, seconds, actors, extra=extra), rng)


def swaying(x_m: float, reach_m: float, period_s: float) -> Path:
    """To and fro, in gusts."""

    def path(t_s: float) -> Pose:
        gust = 0.5 + 0.5 * sin(2 * pi * t_s / 11)
        return Pose(x_m + reach_m * gust * sin(2 * pi * t_s / period_s), TREES_M)

    return path


def sweep(canvas: Image, t_s: float) -> None:
    """The light of a car that turns somewhere else, moving over the street, in place."""
    share = (t_s % SWEEP_EVERY_S) / SWEEP_S
    if share >= 1:
        return
    height, width = canvas.shape[:2]
    glow = np.zeros((height // 8, width // 8), np.uint8)
    centre = (round((share * 1.6 - 0.3) * width / 8), round(height * 0.6 / 8))
    cv2.ellipse(glow, centre, (width // 40, height // 50), 0, 0, 360, 90, -1)
    soft = cv2.resize(cv2.GaussianBlur(glow, (0, 0), width / 120), (width, height))
    cv2.add(canvas, cv2.merge([soft, soft, soft]), dst=canvas)
