"""Renders the demo's street: a few seconds of fictitious cars with fictitious plates, as JPEG
frames.

No photograph and no font file is needed: cars are drawn, and plates use the CC0 typeface that
Pillow carries.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageDraw, ImageFont

from agent.core.reading.sighting import Image
from agent.errors import StorageError
from agent.values import dataclass

WIDTH_PX, HEIGHT_PX, FRAMES, SEED = 1280, 720, 96, 20261122
CAR_PX = (460, 560)  # height, width of the sprite
PLATE_PX = (84, 168)  # height, width on the sprite: a US plate, 12 by 6 inches
HORIZON_PX = 300
JPEG_QUALITY = 92


@dataclass(frozen=True, slots=True)
class Vehicle:
    """One car in the clip. `plate`: fictitious.

    `role`: what the story wants of it. `path(t)` for t in 0–1 of its presence gives centre x, plate
    y (px) and scale; it is in view from frame `first` up to, not including, `last`.
    """

    plate: str
    role: str
    colour: tuple[int, int, int]
    first: int
    last: int
    path: Callable[[float], tuple[float, float, float]]


def _lane(x_near: float, x_far: float) -> Callable[[float], tuple[float, float, float]]:
    """Driving away from the camera: from the near edge of the picture towards the vanishing
    point.
    """

    def path(t: float) -> tuple[float, float, float]:
        depth = 1.0 / (1.0 + 1.1 * t)
        far = (1.0 - depth) / (1.0 - 1.0 / 2.1)
        return x_near + (x_far - x_near) * far, 330 + 250 * depth, 0.95 * depth

    return path


VEHICLES = (
    Vehicle("7XKD419", "hit", (70, 60, 150), 4, 30, _lane(330, 480)),
    Vehicle("3FPA826", "non-hit", (150, 110, 60), 22, 48, _lane(850, 760)),
    Vehicle("8KZV264", "near-miss", (90, 120, 90), 40, 66, _lane(330, 480)),
    Vehicle("5HTC730", "non-hit", (60, 60, 60), 56, 82, _lane(850, 760)),
    Vehicle("9RJE157", "recovered", (170, 170, 175), 72, 94, _lane(330, 480)),
    Vehicle("2HNB684", "parked", (110, 90, 40), 0, FRAMES, lambda _t: (1172, 500, 0.52)),
)
HIT, NEAR_MISS, RECOVERED = VEHICLES[0], VEHICLES[2], VEHICLES[4]


def render(folder: Path) -> tuple[Path, ...]:
    """Write the clip's frames into `folder` and return their paths in order.

    Deterministic. Raises StorageError.
    """
    rng = np.random.default_rng(SEED)
    street = _street(rng)
    noise = rng.normal(0, 3.0, street.shape).astype(np.int16)
    sprites = {v.plate: car(v) for v in VEHICLES}
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for index in range(FRAMES):
        frame = street.copy()
        for vehicle, (x, y, scale) in _present(index):
            paste(frame, sprites[vehicle.plate], x, y, scale)
        frame = _sensor(frame, noise, rng)
        path = folder / f"{index:06d}.jpg"
        if not cv2.imwrite(str(path), frame, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]):
            raise StorageError(
                "cannot write a rendered frame", where=path, fix="check free space and permissions"
            )
        paths.append(path)
    return tuple(paths)


def _present(index: int) -> Iterator[tuple[Vehicle, tuple[float, float, float]]]:
    """The vehicles in view at a frame, farthest first, so that near cars cover far ones."""
    here = [
        (v, v.path((index - v.first) / (v.last - v.first)))
        for v in VEHICLES
        if v.first <= index < v.last
    ]
    yield from sorted(here, key=lambda item: item[1][2])


def _street(rng: np.random.Generator) -> Image:
    """Sky, houses, asphalt and lane marks; H×W×3 BGR."""
    picture = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    horizon = HORIZON_PX
    ramp = np.linspace(0, 1, horizon)[:, None]
    sky = np.array([225, 195, 165]) * (1 - ramp) + np.array([235, 225, 215]) * ramp
    picture[:horizon] = sky[:, None, :].astype(np.uint8)
    for x in range(-20, WIDTH_PX, 118):  # a row of houses
        top, tone = int(rng.integers(120, 220)), int(rng.integers(105, 165))
        cv2.rectangle(picture, (x, top), (x + 112, horizon), (tone - 12, tone, tone + 6), -1)
        _house(picture, x, top, tone)
    _road(picture)
    grain = rng.normal(0, 5, (HEIGHT_PX - horizon, WIDTH_PX, 1))
    picture[horizon:] = np.clip(picture[horizon:] + grain, 0, 255).astype(np.uint8)
    return picture


def _road(picture: Image) -> None:
    """Asphalt between two kerbs, and the marks of its middle."""
    horizon, right, below = HORIZON_PX, WIDTH_PX, HEIGHT_PX
    picture[horizon:] = (92, 94, 96)
    kerbs = (
        [[0, below], [0, 470], [560, horizon], [585, horizon], [120, below]],
        [[right, below], [right, 430], [740, horizon], [715, horizon], [1180, below]],
    )
    for kerb in kerbs:
        cv2.fillPoly(picture, [np.array(kerb)], (128, 134, 138))
    for near, far in ((720, 650), (566, 470), (440, 396), (372, 348), (334, 322)):
        half = (near - horizon) * 0.018
        narrow = half * 0.7
        mark = [[650 - half, near], [650 + half, near], [650 + narrow, far], [650 - narrow, far]]
        cv2.fillPoly(picture, [np.array(mark, np.int32)], (205, 210, 212))


def _house(picture: Image, x: int, top: int, tone: int) -> None:
    """One house, from its eaves at `top` to the horizon.

    Bright windows: a light wall with rows of dark ones is sometimes taken for a large plate.
    """
    cv2.fillPoly(
        picture,
        [np.array([(x - 4, top), (x + 56, top - 46), (x + 116, top)])],
        (tone - 62, tone - 58, tone - 30),
        cv2.LINE_AA,
    )
    for wx in (x + 16, x + 68):
        for wy in range(top + 18, HORIZON_PX - 40, 56):
            cv2.rectangle(
                picture, (wx, wy), (wx + 28, wy + 34), (tone + 46, tone + 40, tone + 34), -1
            )
            cv2.line(picture, (wx + 14, wy), (wx + 14, wy + 34), (tone, tone, tone), 2)


def car(vehicle: Vehicle) -> NDArray[np.uint8]:
    """The rear of a car with its plate: h×w×4 BGRA sprite."""
    height, width = CAR_PX
    sprite = np.zeros((height, width, 4), np.uint8)

    def polygon(points: list[tuple[int, int]], colour: tuple[int, int, int]) -> None:
        cv2.fillPoly(sprite, [np.array(points)], (*colour, 255), cv2.LINE_AA)

    b, g, r = vehicle.colour
    dark, light = (b // 2, g // 2, r // 2), (min(b + 35, 255), min(g + 35, 255), min(r + 35, 255))
    polygon([(40, 430), (120, 430), (120, 455), (52, 455)], (25, 25, 25))  # tyres
    polygon([(440, 430), (520, 430), (508, 455), (440, 455)], (25, 25, 25))
    polygon([(120, 40), (440, 40), (500, 190), (60, 190)], vehicle.colour)  # cabin
    polygon([(140, 58), (420, 58), (466, 172), (94, 172)], (60, 52, 44))  # rear window
    polygon([(60, 185), (500, 185), (530, 250), (526, 440), (34, 440), (30, 250)], vehicle.colour)
    polygon([(60, 185), (500, 185), (506, 200), (54, 200)], light)
    polygon([(34, 372), (526, 372), (524, 440), (36, 440)], dark)  # bumper
    for x in (44, 428):
        cv2.rectangle(sprite, (x, 222), (x + 88, 282), (38, 32, 190, 255), -1)
        cv2.rectangle(sprite, (x + 8, 262), (x + 80, 278), (190, 200, 225, 255), -1)
    plate_height, plate_width = PLATE_PX
    top, left = 268, (width - plate_width) // 2
    cv2.rectangle(
        sprite,
        (left - 14, top - 10),
        (left + plate_width + 14, top + plate_height + 10),
        (*dark, 255),
        -1,
    )
    sprite[top : top + plate_height, left : left + plate_width, :3] = _plate(vehicle.plate)
    return sprite


def _plate(text: str) -> Image:
    """A plain light plate with a fictitious legend, drawn at four times its size and reduced; h×w×3
    BGR.
    """
    height, width = PLATE_PX[0] * 4, PLATE_PX[1] * 4
    picture = PilImage.new("RGB", (width, height), (236, 238, 240))
    draw = ImageDraw.Draw(picture)
    draw.rounded_rectangle((6, 6, width - 7, height - 7), radius=26, outline=(70, 80, 120), width=6)
    draw.text(
        (width / 2, 44),
        "EXAMPLEVILLE",
        font=ImageFont.load_default(44),
        fill=(90, 60, 60),
        anchor="mm",
    )
    font = ImageFont.load_default(158)
    step = (width - 56) / len(text)
    for position, character in enumerate(text):
        draw.text(
            (28 + step * (position + 0.5), height * 0.57),
            character,
            font=font,
            fill=(30, 34, 80),
            anchor="mm",
            stroke_width=4,
            stroke_fill=(30, 34, 80),
        )
    small = picture.resize((PLATE_PX[1], PLATE_PX[0]), PilImage.Resampling.LANCZOS)
    return np.asarray(small)[:, :, ::-1].copy()


def paste(frame: Image, sprite: NDArray[np.uint8], x: float, y: float, scale: float) -> None:
    """Blend a sprite so that its plate's centre lies at (x, y) px; changes `frame` in place."""
    height, width = CAR_PX
    left, top = x - scale * width / 2, y - scale * 310
    x0, y0 = max(0, int(left)), max(0, int(top))
    x1 = min(WIDTH_PX, int(left + scale * width) + 2)
    y1 = min(HEIGHT_PX, int(top + scale * height) + 2)
    matrix = np.array([[scale, 0, left - x0], [0, scale, top - y0]], np.float64)
    placed = cv2.warpAffine(sprite, matrix, (x1 - x0, y1 - y0), flags=cv2.INTER_AREA).astype(
        np.float32
    )
    shadow = cv2.warpAffine(_SHADOW, matrix, (x1 - x0, y1 - y0))[:, :, None] / np.float32(255)
    alpha = placed[:, :, 3:] / 255
    under = frame[y0:y1, x0:x1] * (1 - np.float32(0.55) * shadow)
    frame[y0:y1, x0:x1] = (under * (1 - alpha) + placed[:, :, :3] * alpha).astype(np.uint8)


def _shadow() -> NDArray[np.uint8]:
    """The soft dark patch under a car, on the sprite's canvas."""
    patch = np.zeros(CAR_PX, np.uint8)
    cv2.ellipse(patch, (CAR_PX[1] // 2, 448), (262, 11), 0, 0, 360, 255, -1)
    return cv2.GaussianBlur(patch, (0, 0), 5).astype(np.uint8)


_SHADOW = _shadow()


def _sensor(frame: Image, noise: NDArray[np.int16], rng: np.random.Generator) -> Image:
    """What a small sensor adds: a little defocus, and noise (one field, shifted anew for each
    frame).
    """
    soft = cv2.GaussianBlur(frame, (0, 0), 0.7)
    shifted = np.roll(
        noise, (int(rng.integers(HEIGHT_PX)), int(rng.integers(WIDTH_PX))), axis=(0, 1)
    )
    return cv2.add(soft, shifted, dtype=cv2.CV_8U).astype(np.uint8, copy=False)
