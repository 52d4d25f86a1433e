"""Light, weather and sensor: what a day, a dusk, an infrared night and rain do to a frame."""

from dataclasses import dataclass
from math import pi, sin

import cv2
import numpy as np
from numpy.random import Generator

from agent.core.reading.sighting import Image

NOISE_SHIFT = 64  # px: so many places each way to lay the one noise field
DRIFT_S = 40.0


@dataclass(frozen=True, slots=True)
class Light:
    """`scene`, `shining`: how bright dull things and retro-reflecting ones are, 1 at noon.

    `exposure_s`: how long the shutter is open. `noise`: standard deviation, levels of 255. `drift`:
    share by which the light swells and falls within a minute. `grey`: infrared has no colour.
    """

    name: str
    scene: float
    shining: float
    exposure_s: float
    noise: float
    drift: float = 0.03
    grey: bool = False
    rain: bool = False

    def on(self, picture: Image, *, shining: bool = False) -> Image:
        """A BGR or BGRA picture as this light shows it."""
        gain = self.shining if shining else self.scene
        colours = picture[:, :, :3].astype(np.float32)
        if self.grey:
            colours = np.repeat(cv2.cvtColor(colours, cv2.COLOR_BGR2GRAY)[:, :, None], 3, 2)
        if self.grey and shining:  # the lamp at the camera deepens the contrast of the ground
            colours = 255 * (colours / 255) ** 1.4
        lit = np.clip(colours * gain, 0, 255).astype(np.uint8)
        return lit if picture.shape[2] == 3 else np.dstack([lit, picture[:, :, 3]])


DAY = Light("day", 0.9, 0.95, 1 / 1000, 2.5)
DUSK = Light("dusk", 0.33, 0.38, 1 / 500, 6.0)
INFRARED = Light("infrared", 0.12, 0.9, 1 / 1000, 5.0, drift=0.0, grey=True)
RAIN = Light("rain", 0.6, 0.65, 1 / 500, 4.0, rain=True)
LIGHTS = (DAY, DUSK, INFRARED, RAIN)


class Sensor:
    """Adds what differs from frame to frame: drift, rain, noise. Its own for each clip."""

    def __init__(self, light: Light, rng: Generator, width_px: int, height_px: int) -> None:
        self._light = light
        self._seed = int(rng.integers(2**31))
        shape = (height_px + NOISE_SHIFT, width_px + NOISE_SHIFT, 1 if light.grey else 3)
        noise = rng.standard_normal(shape, np.float32) * light.noise
        # Noise of a colour sensor is mostly luminance once the pattern is filled in.
        mixed = 0.4 * noise + 0.6 * noise[:, :, :1] if not light.grey else np.repeat(noise, 3, 2)
        self._noise = np.round(mixed).astype(np.int16)
        self._phase = float(rng.uniform(0, 2 * pi))

    def take(self, canvas: Image, number: int, t_s: float) -> Image:
        """The finished frame; the same for the same number."""
        rng = np.random.default_rng([self._seed, number])
        if self._light.rain:
            streaks(canvas, rng)
        gain = 1 + self._light.drift * sin(2 * pi * t_s / DRIFT_S + self._phase)
        if self._light.drift:
            canvas = cv2.convertScaleAbs(canvas, alpha=gain)
        height, width = canvas.shape[:2]
        x, y = rng.integers(0, NOISE_SHIFT, 2)
        field = self._noise[y : y + height, x : x + width]
        return np.asarray(cv2.add(canvas, field, dtype=cv2.CV_8U), np.uint8)


def streaks(canvas: Image, rng: Generator) -> None:
    """Falling rain, in place: light short lines, anew in every frame."""
    height, width = canvas.shape[:2]
    slant = rng.normal(0.1, 0.02)
    layer = np.zeros((height, width), np.uint8)
    for _ in range(120):
        x, y = rng.uniform(0, width), rng.uniform(-0.1, 1) * height
        length = height * rng.uniform(0.03, 0.12)
        end = (round(x + slant * length), round(y + length))
        cv2.line(layer, (round(x), round(y)), end, int(rng.integers(12, 45)), 1, cv2.LINE_AA)
    cv2.add(canvas, cv2.merge([layer, layer, layer]), dst=canvas)
