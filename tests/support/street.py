"""A synthetic street as small grey-in-colour frames, and what disturbs one: noise, light, rain,
headlamps, trees, and plates that come.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
from numpy.typing import NDArray

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant

WIDTH, HEIGHT = 640, 360
START = datetime(2027, 1, 15, 12, tzinfo=UTC)
Grey = NDArray[np.float32]
Disturbance = Callable[[Grey, int, np.random.Generator], Grey]


def street(level: float = 100.0) -> Grey:
    """A road with a kerb, houses and sky, in grey levels."""
    picture = np.full((HEIGHT, WIDTH), level, np.float32)
    picture[:100] = level * 1.6
    for x in range(0, WIDTH, 48):
        picture[40:100, x : x + 40] = level * (0.7 + 0.1 * (x // 48 % 5))
    picture[200:206] = level * 1.3
    texture = np.random.default_rng(5).normal(0, level * 0.04, picture.shape)
    return (picture + cv2.GaussianBlur(texture, (0, 0), 2) * 3).astype(np.float32)


STREET = street()


def nothing(picture: Grey, number: int, rng: np.random.Generator) -> Grey:
    return picture


def drift(picture: Grey, number: int, rng: np.random.Generator) -> Grey:
    """Clouds: a third lighter and darker within a minute, at 15 frames a second."""
    return picture * np.float32(1 + 0.33 * np.sin(2 * np.pi * number / 900))


def rain(picture: Grey, number: int, rng: np.random.Generator) -> Grey:
    """Some 120 bright streaks, elsewhere in each frame."""
    drawn = picture.copy()
    for x, y, length in zip(
        rng.integers(0, WIDTH, 120),
        rng.integers(0, HEIGHT, 120),
        rng.integers(8, 20, 120),
        strict=True,
    ):
        cv2.line(drawn, (int(x), int(y)), (int(x + 2), int(y + length)), 150, 1)
    return drawn


def headlamps(picture: Grey, number: int, rng: np.random.Generator) -> Grey:
    """A pool of light that crosses the street in two seconds, every ten."""
    at = number % 150
    if at >= 30:
        return picture
    across = np.exp(-(((np.arange(WIDTH, dtype=np.float32) - at * 22) / 90) ** 2))
    down = np.exp(-(((np.arange(HEIGHT, dtype=np.float32) - 250) / 60) ** 2))
    return np.asarray(picture * (1 + np.float32(0.8) * np.outer(down, across)), np.float32)


def trees(picture: Grey, number: int, rng: np.random.Generator) -> Grey:
    """Leaves at the left that sway by some pixels, in gusts."""
    leaves = LEAVES
    gust = 4 + 3 * np.sin(number / 40)
    shift = gust * np.sin(number / 3.5), gust * 0.6 * np.cos(number / 2.3)
    moved = cv2.warpAffine(
        leaves,
        np.array([[1, 0, shift[0]], [0, 1, shift[1]]], np.float32),
        (leaves.shape[1], leaves.shape[0]),
        borderMode=cv2.BORDER_REFLECT,
    )
    drawn = picture.copy()
    drawn[: leaves.shape[0], : leaves.shape[1]] = moved
    return drawn


LEAVES = (
    70 + 60 * cv2.GaussianBlur(np.random.default_rng(6).normal(0, 1, (200, 180)), (0, 0), 4) * 4
).astype(np.float32)

SPARE = 200
# One field, of which each frame has another part: to draw it anew would take most of a test's time.
GRAIN = np.random.default_rng(7).standard_normal((HEIGHT + SPARE, WIDTH + SPARE), np.float32)

DISTURBANCES: dict[str, Disturbance] = {
    one.__name__: one for one in (nothing, drift, rain, headlamps, trees)
}


def plate(picture: Grey, x: float, y: float, width: float = 28.0, high: float = 14.0) -> Grey:
    """A light plate with dark strokes, centred there."""
    drawn = picture.copy()
    left, top = round(x - width / 2), round(y - high / 2)
    right, below = round(left + width), round(top + high)
    cv2.rectangle(drawn, (left, top), (right - 1, below - 1), 200, -1)
    for stroke in range(left + 2, right - 1, 4):
        cv2.line(drawn, (stroke, top + 2), (stroke, below - 3), 40, 1)
    return drawn


def frame(picture: Grey, number: int, noise: float = 3.0) -> Frame:
    """The picture as a sensor gives it: with noise of that deviation, always other."""
    down, across = np.random.default_rng(number).integers(0, SPARE, 2)
    grain = GRAIN[down : down + HEIGHT, across : across + WIDTH]
    grey = cv2.convertScaleAbs(np.maximum(picture + grain * np.float32(noise), 0))
    at = Instant(START + timedelta(milliseconds=round(number * 1000 / 15)))
    return Frame(cv2.merge([grey, grey, grey]), at, number)


def seconds(
    number_of: float, disturbed: Disturbance, *, noise: float = 3.0, every: int = 1
) -> Iterator[Frame]:
    """So many seconds of an empty street, every so many of 15 frames a second."""
    for number in range(0, round(number_of * 15), every):
        yield frame(disturbed(STREET, number, np.random.default_rng(number)), number, noise)
