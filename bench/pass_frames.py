"""Renders passes: one plate, frame after frame, as a car drives towards the camera; what frames
share in reality, they share here.

Shared by all frames of a pass: the plate with its dirt, frame and shadows, the surroundings, pose,
light, the lens, the direction of motion, the compression, and the greater part of the box's error.
Fresh in each: size, place on the pixel grid, noise, and the smaller part of blur, exposure and box.
So the errors of a pass agree with one another about as much as those of a car do, and a vote over
them is not flattered.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.reading.sighting import Frame, PlateBox
from agent.core.time.instant import Instant
from models.training.render.degrade import backdrop, light
from models.training.render.plates import draw_plate

FRAMES = 12
NARROWEST_PX, WIDEST_PX = 40.0, 130.0
FRAME_S = 0.1
# Margin on each side, as a share of the plate's width and height: a frame shows no more than that.
SURROUNDINGS = 0.35
# A frame is drawn this wide at least before it is averaged down to the sensor's pixels.
DRAWN_WIDTH_PX = 280
START = datetime(2026, 11, 22, 12, tzinfo=UTC)

Grey = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pass:
    """One drive-by: the plate's true text and region, and each frame with the box and corners that
    a detector might have given.
    """

    text: str
    region: str
    frames: tuple[tuple[Frame, PlateBox], ...]


@dataclass(frozen=True, slots=True)
class Appearance:
    """What stays the same while a car passes.

    Lengths in shares of the plate's sides, where no unit says otherwise.
    """

    plate: Grey
    ground: Grey
    pose: Points  # 4×2: what each corner is moved by
    drift: Points  # 4×2: the same, over the whole pass
    roll_rad: float
    gain: float
    gamma: float
    veil: float
    noise: float
    optics_px: float  # blur on the sensor, standard deviation
    focus_width_px: float  # where the lens is sharpest
    motion: float  # length of the motion blur
    motion_rad: float
    jpeg: int
    margins: Points  # left, top, right, bottom: how far the box is off
    corners: Points  # 4×2: how far the corners are off


def passes(count: int, seed: int) -> Iterator[Pass]:
    """`count` passes; the same seed gives the same ones, whatever `count` is."""
    for number in range(count):
        yield one_pass(np.random.default_rng([seed, number]))


def one_pass(rng: Generator) -> Pass:
    """One plate, from far to near."""
    drawn = draw_plate(rng, channels=1)
    look = appearance(rng, np.ascontiguousarray(drawn.picture[:, :, 0]))
    steps = np.linspace(0, 1, FRAMES) + rng.uniform(-0.3, 0.3, FRAMES) / FRAMES
    widths = NARROWEST_PX * (WIDEST_PX / NARROWEST_PX) ** np.clip(steps, 0, 1)
    return Pass(
        drawn.text,
        drawn.region,
        tuple(one_frame(rng, look, float(width), number) for number, width in enumerate(widths)),
    )


def appearance(rng: Generator, plate: Grey) -> Appearance:
    """Draws what the frames share; a third of the passes are easy, a third hard."""
    hardness = float(rng.uniform(0, 1))
    height, width = plate.shape
    dark = rng.random() < 0.25 * hardness
    gain = rng.uniform(0.06, 0.25) if dark else rng.uniform(0.35, 1.15)
    return Appearance(
        plate=light(rng, plate, hardness),
        ground=backdrop(rng, width * 2, height * 2),
        pose=rng.normal(0, 0.03 * hardness, (4, 2))
        + [[0, s * y] for s in [rng.normal(0, 0.06) * hardness] for y in (-1, 1, 1, -1)],
        drift=rng.normal(0, 0.012, (4, 2)),
        roll_rad=float(np.deg2rad(rng.normal(0, 1 + 4 * hardness))),
        gain=gain,
        gamma=float(np.exp(rng.normal() * 0.25)),
        veil=rng.uniform(0, 0.35) if rng.random() < 0.4 * hardness else 0.0,
        noise=rng.uniform(0.004, 0.012 + 0.05 * hardness) * min(1.0, gain + 0.2),
        optics_px=rng.uniform(0.3, 0.45 + 0.35 * hardness),
        focus_width_px=float(rng.uniform(60, 160)),
        motion=rng.uniform(0.004, 0.03) * hardness if rng.random() < 0.6 else 0.0,
        motion_rad=float(rng.normal(np.pi / 2, 0.5)),  # coming closer, a plate sinks in the frame
        jpeg=int(rng.integers(30, 95)),
        margins=rng.normal(0.035, 0.025, 4) * [0.8, 1.3, 0.8, 1.3],
        corners=rng.normal(0, 1, (4, 2)) * [0.008, 0.02],
    )


def one_frame(
    rng: Generator, look: Appearance, width_px: float, number: int
) -> tuple[Frame, PlateBox]:
    """The plate at one size, and a detector's box around it."""
    aspect = look.plate.shape[0] / look.plate.shape[1]
    size = np.array([width_px, width_px * aspect])
    quad = true_corners(rng, look, size, number / (FRAMES - 1))
    shape = np.ceil(quad.max(0) + size * SURROUNDINGS).astype(int)
    levels = exposed(rng, look, blurred(rng, look, quad, shape, width_px))
    _, packed = cv2.imencode(
        ".jpg",
        levels,
        [cv2.IMWRITE_JPEG_QUALITY, int(np.clip(look.jpeg + rng.integers(-4, 5), 20, 98))],
    )
    image = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    captured = Instant(START + timedelta(seconds=number * FRAME_S))
    return Frame(image, captured, number), detected(rng, look, quad, size, image.shape[1::-1])


def true_corners(rng: Generator, look: Appearance, size: Points, progress: float) -> Points:
    """Where the plate lies in its frame: 4×2 px, clockwise from its top left, anywhere on the pixel
    grid.
    """
    unit = np.array([[-0.5, -0.5], [0.5, -0.5], [0.5, 0.5], [-0.5, 0.5]])
    turned_rad = look.roll_rad + rng.normal(0, 0.004)
    turn = np.array(
        [[np.cos(turned_rad), np.sin(turned_rad)], [-np.sin(turned_rad), np.cos(turned_rad)]]
    )
    quad = (unit + look.pose + look.drift * progress) * size @ turn
    return quad - quad.min(0) + size * SURROUNDINGS + rng.uniform(0, 1, 2)


def blurred(
    rng: Generator, look: Appearance, quad: Points, shape: NDArray[np.int_], width_px: float
) -> Grey:
    """The light that falls on the sensor's pixels: lens and motion blur what is there, then each
    pixel averages.
    """
    scale = max(2, int(np.ceil(DRAWN_WIDTH_PX / width_px)))
    big = (int(shape[0] * scale), int(shape[1] * scale))
    source = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * [look.plate.shape[1], look.plate.shape[0]]
    matrix = cv2.getPerspectiveTransform(
        source.astype(np.float32), (quad * scale).astype(np.float32)
    )
    picture = cv2.warpPerspective(
        look.plate, matrix, big, flags=cv2.INTER_LINEAR, borderValue=(-9.0,)
    )
    outside = picture < -0.01
    picture[outside] = cv2.resize(look.ground, big)[outside]
    defocus_px = look.optics_px + 0.25 * abs(np.log(width_px / look.focus_width_px)) * rng.uniform(
        0.7, 1.3
    )
    picture = cv2.GaussianBlur(picture, (0, 0), scale * defocus_px)
    length = round(scale * width_px * look.motion * rng.uniform(0.6, 1.4))
    if length > 1:
        picture = smeared(picture, length, look.motion_rad)
    return cv2.resize(picture, (int(shape[0]), int(shape[1])), interpolation=cv2.INTER_AREA)


def smeared(picture: Grey, length: int, angle_rad: float) -> Grey:
    """Motion blur of `length` px."""
    kernel = np.zeros((length, length), np.float32)
    middle = (length - 1) / 2
    dx, dy = np.cos(angle_rad) * middle, np.sin(angle_rad) * middle
    cv2.line(
        kernel,
        (round(middle - dx), round(middle - dy)),
        (round(middle + dx), round(middle + dy)),
        1.0,
        1,
    )
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def exposed(rng: Generator, look: Appearance, picture: Grey) -> NDArray[np.uint8]:
    """Grey levels: gain, veil and noise."""
    gain = look.gain * np.exp(rng.normal(0, 0.08))
    out = cv2.pow(np.clip(picture, 0, 1.5), look.gamma) * np.float32(
        gain * (1 - look.veil)
    ) + np.float32(look.veil * gain)
    out += rng.standard_normal(out.shape, np.float32) * np.float32(look.noise)
    return (np.clip(out, 0, 1) * 255).astype(np.uint8)


def detected(
    rng: Generator, look: Appearance, quad: Points, size: Points, frame_size: tuple[int, int]
) -> PlateBox:
    """The upright box and the corners, off by the pass's own error and a fresh one that weighs more
    on a small plate.
    """
    fresh_px = np.array([0.5, 0.4])
    corners = (
        quad
        + look.corners * size
        + rng.normal(0, 1, (4, 2)) * (np.array([0.006, 0.015]) * size + fresh_px * 0.6)
    )
    margins = (
        look.margins + rng.normal(0, 0.015, 4) + rng.normal(0, 1, 4) * np.tile(fresh_px / size, 2)
    )
    low = np.clip(quad.min(0) - margins[:2] * size, 0, None)
    high = np.minimum(quad.max(0) + margins[2:] * size, frame_size)
    points = tuple((float(x), float(y)) for x, y in corners)
    return PlateBox(
        (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
        points,
        0.9,
    )  # type: ignore[arg-type]
