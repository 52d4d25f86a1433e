"""What a roadside camera does to a plate: view, light, blur, few pixels, noise, JPEG; ends with the
recogniser's crop.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render.video import filmed

Grey = NDArray[np.float32]
SUPERSAMPLING = 2


@dataclass(frozen=True, slots=True)
class Crop:
    """Size of the finished crop, px."""

    width: int
    height: int


def backdrop(rng: Generator, width: int, height: int) -> Grey:
    """A bumper's worth of nothing: a few blocks or a soft gradient, 0–1."""
    cells = rng.uniform(0, 1, (int(rng.integers(2, 6)), int(rng.integers(2, 9)))).astype(np.float32)
    way = cv2.INTER_LINEAR if rng.random() < 0.6 else cv2.INTER_NEAREST
    nothing = cv2.resize(cells, (width, height), interpolation=way) * np.float32(
        rng.uniform(0.2, 1.0)
    )
    # Lamps, edges, a holder's ends: what is taken for a character at the plate's side.
    for _ in range(int(rng.integers(1, 7)) if rng.random() < 0.4 else 0):
        middle = int(rng.integers(width)), int(rng.integers(height))
        half = int(width * rng.uniform(0.01, 0.09)), int(height * rng.uniform(0.03, 0.4))
        cv2.ellipse(
            nothing,
            middle,
            half,
            float(rng.choice([0, 0, 90, rng.uniform(0, 180)])),
            0,
            360,
            float(rng.uniform(0, 1)),
            -1,
        )
    return nothing


def box_margins(rng: Generator, hardness: float) -> NDArray[np.float64]:
    """How far a box reaches beyond the plate: left, top, right, bottom, as shares of the plate's
    sides; negative cuts into it.

    More than half of the hard ones are as loose as a detector's worst: measured on frames, a
    twentieth are off by 0.3 and more.
    """
    if rng.random() < 0.55 * hardness:
        return np.concatenate(
            [rng.uniform([-0.05, -0.17], [0.38, 0.38]) for _ in range(2)]
        ) * rng.uniform(0.3, 1.0)
    return np.clip(rng.normal(0.045, 0.02 + 0.04 * hardness, 4), -0.06, 0.2) * [0.8, 1.3, 0.8, 1.3]


# Share of the crops that are cut at the plate's corners. The others are cut at an upright box, as
# when no corner is found.
RECTIFIED = 0.85
# The margin that the reader leaves around the corners, as shares of the crop's width and height.
INSET = (0.02, 0.05)


def view(
    rng: Generator, quad: NDArray[np.float32], crop: Crop, hardness: float
) -> NDArray[np.float64]:
    """The perspective that takes `quad` (4×2 px, clockwise from top left) into the crop, as the
    aligner's corners or a box cut it.
    """
    return (
        rectified_view(rng, quad, crop, hardness)
        if rng.random() < RECTIFIED
        else upright_view(rng, quad, crop, hardness)
    )


def rectified_view(
    rng: Generator, quad: NDArray[np.float32], crop: Crop, hardness: float
) -> NDArray[np.float64]:
    """The plate's corners near the crop's: all four shifted together, each side moved, each corner
    off by itself; one in five much worse.
    """
    worse = 2.2 if rng.random() < 0.2 * hardness else 1.0
    spread = np.array([0.010 + 0.014 * hardness, 0.022 + 0.034 * hardness]) * worse
    points = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * (1 - 2 * np.array(INSET)) + INSET
    points = points + rng.normal(0, 0.8, 2) * spread
    sides = rng.normal(0, 0.8, (2, 2)) * spread  # left and top, right and bottom
    points = points + np.array(
        [[sides[i, 0], sides[j, 1]] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
    )
    points = points + rng.normal(0, 0.6, (4, 2)) * spread
    target = points * [crop.width * SUPERSAMPLING, crop.height * SUPERSAMPLING]
    return cv2.getPerspectiveTransform(quad.astype(np.float32), target.astype(np.float32))


def upright_view(
    rng: Generator, quad: NDArray[np.float32], crop: Crop, hardness: float
) -> NDArray[np.float64]:
    """The perspective that takes `quad` (4×2 px, clockwise from top left) into the crop: its
    upright box with an uncertain margin.

    Rotation to ±14°, shear and keystone grow with `hardness`; each side of the box is off by a few
    per cent, as a detector's is.
    """
    size = np.array([np.hypot(*(quad[1] - quad[0])), np.hypot(*(quad[3] - quad[0]))])
    half = size / size[1] / 2
    points = np.array(
        [[-half[0], -half[1]], [half[0], -half[1]], [half[0], half[1]], [-half[0], half[1]]]
    )
    degrees = (
        rng.normal() * (1.5 + 3.5 * hardness)
        if rng.random() < 0.75
        else rng.uniform(-14, 14) * hardness
    )
    points[:, 0] += points[:, 1] * rng.normal() * 0.08 * (0.3 + hardness)
    points += rng.normal(0, 0.022 * hardness, (4, 2)) * [half[0], 1]
    turn = np.deg2rad(degrees)
    points = points @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    low, high = points.min(0), points.max(0)
    spread = high - low
    margins = box_margins(rng, hardness)
    low, high = low - spread * margins[:2], high + spread * margins[2:]
    target = (
        (points - low) / (high - low) * [crop.width * SUPERSAMPLING, crop.height * SUPERSAMPLING]
    )
    return cv2.getPerspectiveTransform(quad.astype(np.float32), target.astype(np.float32))


def light(rng: Generator, picture: Grey, hardness: float) -> Grey:
    """Shadow edges, glare spots and uneven light."""
    height, width = picture.shape
    if rng.random() < 0.3 * hardness:
        edge = np.array(
            [
                [rng.uniform(-0.5, 1.5) * width, 0],
                [rng.uniform(-0.5, 1.5) * width, height],
                [width * 2, height],
                [width * 2, 0],
            ]
        )
        shade = np.ones_like(picture)
        cv2.fillPoly(shade, [edge.astype(np.int32)], rng.uniform(0.3, 0.9))
        picture = picture * cv2.GaussianBlur(shade, (0, 0), rng.uniform(1, 5))
    if rng.random() < 0.2 * hardness:  # a holder or a bumper shades the upper or lower part
        depth = int(height * rng.uniform(0.1, 0.6))
        part = picture[:depth] if rng.random() < 0.7 else picture[-depth:]
        part *= np.float32(rng.uniform(0.35, 0.9))
    if rng.random() < 0.35 * hardness:
        x = np.linspace(-1, 1, width, dtype=np.float32)[None] * np.float32(rng.uniform(-0.35, 0.35))
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(
            rng.uniform(-0.3, 0.3)
        )
        picture = picture * (1 + x + y)
    return picture


def glare(rng: Generator, picture: Grey) -> Grey:
    """A headlamp or the sun in or beside the plate: a spot that swallows what is under it, and its
    halo.
    """
    height, width = picture.shape
    x, y = rng.uniform(-0.15, 1.15) * width, rng.uniform(-0.3, 1.3) * height
    reach = height * rng.uniform(0.08, 0.5)
    columns = np.arange(width, dtype=np.float32)[None] - np.float32(x)
    rows = np.arange(height, dtype=np.float32)[:, None] - np.float32(y)
    falling = np.exp(-(columns**2 + rows**2) / np.float32(2 * reach**2))
    return picture + falling * np.float32(rng.uniform(0.3, 1.4)) + np.float32(rng.uniform(0, 0.06))


def infrared(rng: Generator, picture: Grey) -> Grey:
    """A lamp at the camera at night: the retro-reflecting ground shines, what does not reflect
    sinks into the dark.
    """
    shining = cv2.pow(np.clip(picture, 0, 1), float(rng.uniform(1.2, 2.6)))
    return shining * np.float32(rng.uniform(0.9, 1.5)) + np.float32(rng.uniform(0, 0.05))


def rain(rng: Generator, picture: Grey) -> Grey:
    """Streaks in the air and drops on the glass."""
    height, width = picture.shape
    layer = np.zeros_like(picture)
    slant, length = rng.normal(0, 0.2), height * rng.uniform(0.08, 0.5)
    for _ in range(int(rng.integers(8, 50))):
        x, y = rng.uniform(0, width), rng.uniform(-0.2, 1) * height
        cv2.line(
            layer,
            (round(x), round(y)),
            (round(x + slant * length), round(y + length)),
            float(rng.uniform(0.05, 0.3)),
            1,
            cv2.LINE_AA,
        )
    out = picture + cv2.GaussianBlur(layer, (0, 0), 0.8)
    for _ in range(int(rng.integers(0, 4))):  # a drop shows what lies behind it blurred
        x = int(rng.integers(width))
        y = int(rng.integers(height))
        radius = int(height * rng.uniform(0.04, 0.14)) + 2
        part = out[max(0, y - radius) : y + radius, max(0, x - radius) : x + radius]
        part[:] = cv2.GaussianBlur(part, (0, 0), radius / 2)
    return out


def motion(rng: Generator, picture: Grey, pixel: float) -> Grey:
    """Motion blur of 1–3 sensor pixels; `pixel`: a sensor pixel in px of `picture`."""
    length = int(max(3, pixel * rng.uniform(1.0, 3.2)))
    kernel = np.zeros((length, length), np.float32)
    angle = rng.uniform(0, np.pi) if rng.random() < 0.5 else float(rng.integers(2)) * np.pi / 2
    reach, middle = (length - 1) / 2, (length - 1) / 2
    dx, dy = np.cos(angle) * reach, np.sin(angle) * reach
    cv2.line(
        kernel,
        (round(middle - dx), round(middle - dy)),
        (round(middle + dx), round(middle + dy)),
        1.0,
        1,
    )
    return cv2.filter2D(picture, -1, kernel / kernel.sum())


def expose(rng: Generator, picture: Grey, hardness: float) -> Grey:
    """Gain, gamma, veil and noise: from a few grey levels in the dark to clipped whites."""
    gain = rng.uniform(0.04, 0.3) if rng.random() < 0.18 * hardness else rng.uniform(0.3, 1.1)
    if rng.random() < 0.08 * hardness:
        gain *= rng.uniform(1.2, 1.9)
    veil = rng.uniform(0, 0.4) if rng.random() < 0.4 * hardness else 0.0
    out = cv2.pow(np.clip(picture, 0, 1.5), float(np.exp(rng.normal() * 0.3))) * np.float32(
        gain * (1 - veil)
    ) + np.float32(veil * gain)
    noise = (0.003 + 0.057 * rng.random() ** 2) * (0.2 + 0.8 * hardness) * min(1.0, gain + 0.15)
    return out + rng.standard_normal(out.shape, np.float32) * np.float32(noise)


def processed(rng: Generator, picture: Grey) -> Grey:
    """What a camera's own processing adds: noise smoothed away, then edges sharpened until they
    have halos (an unsharp mask).
    """
    if rng.random() < 0.4:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.9))
    soft = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.6, 1.8))
    return picture + np.float32(rng.uniform(0.3, 2.2)) * (picture - soft)


# Range of the logarithm of JPEG quality. Roadside pictures come out of small cameras' video, plates
# in blocks of one grey.
PACKING = (np.log(9), np.log(90))


def packed(rng: Generator, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Through JPEG: the grid of 8×8 blocks lies anywhere, and a third were enlarged before it, so
    that the blocks are smaller than what is seen.
    """
    if rng.random() < 0.33:
        levels = cv2.resize(
            levels, None, fx=(by := rng.uniform(1.2, 2.2)), fy=by, interpolation=cv2.INTER_CUBIC
        )
    left, top = (int(v) for v in rng.integers(0, 8, 2))
    on_grid = cv2.copyMakeBorder(levels, top, 0, left, 0, cv2.BORDER_REPLICATE)
    _, jpeg = cv2.imencode(
        ".jpg", on_grid, [cv2.IMWRITE_JPEG_QUALITY, int(np.exp(rng.uniform(*PACKING)))]
    )
    return cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)[top:, left:]


def packed_in_place(rng: Generator, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Through JPEG at its own size: what lies where stays known."""
    _, jpeg = cv2.imencode(
        ".jpg", levels, [cv2.IMWRITE_JPEG_QUALITY, int(np.exp(rng.uniform(*PACKING)))]
    )
    return cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)


def on_sensor(rng: Generator, seen: Grey, crop: Crop, hardness: float) -> Grey:
    """Softened by the lens, smeared by motion, in the sensor's own pixels.

    The plate's width there decides everything that follows; half the hard ones are under 90 px.
    """
    width = (
        float(np.exp(rng.uniform(np.log(38), np.log(230))))
        if rng.random() < 0.25 + 0.65 * hardness
        else 220.0
    )
    pixel = seen.shape[1] / width
    softness = (
        rng.uniform(0.55, 1.2)
        if rng.random() < 0.2 * hardness and width > 60
        else rng.uniform(0.15, 0.55)
    )
    seen = cv2.GaussianBlur(seen, (0, 0), max(0.3, pixel * softness * (0.4 + 0.6 * hardness)))
    if rng.random() < 0.3 * hardness:
        seen = motion(rng, seen, pixel)
    size = (
        max(20, int(width)),
        max(9, int(width * rng.uniform(0.22, 0.52) * 8 / 3 * crop.height / crop.width)),
    )
    way = cv2.INTER_AREA if size[0] < seen.shape[1] else cv2.INTER_LINEAR
    return cv2.resize(seen, size, interpolation=way)


def weathered(rng: Generator, seen: Grey, hardness: float) -> Grey:
    """Light and weather between the plate and the lens."""
    seen = light(rng, seen, hardness)
    for effect, chance in ((infrared, 0.07), (glare, 0.07), (rain, 0.05)):
        if rng.random() < chance * hardness:
            seen = effect(rng, seen)
    return seen


def photograph(
    rng: Generator,
    picture: Grey,
    quad: NDArray[np.float32],
    crop: Crop,
    hardness: float,
    *,
    surrounded: bool,
) -> NDArray[np.uint8]:
    """The crop (height × width, uint8) of the plate that fills `quad` in `picture` (H×W, 0–1).

    `hardness`: 0 clean – 1 everything. `surrounded`: the picture goes on outside the plate, no
    backdrop is wanted.
    """
    big = (crop.width * SUPERSAMPLING, crop.height * SUPERSAMPLING)
    matrix = view(rng, quad, crop, hardness)
    if surrounded:
        seen = cv2.warpPerspective(
            picture, matrix, big, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
    else:
        seen = cv2.warpPerspective(
            picture, matrix, big, flags=cv2.INTER_LINEAR, borderValue=(-9.0,)
        )
        outside = seen < -0.01
        seen[outside] = backdrop(rng, *big)[outside]
    seen = weathered(rng, seen, hardness)
    seen = expose(rng, on_sensor(rng, seen, crop, hardness), hardness)
    if rng.random() < 0.45 * hardness:
        seen = processed(rng, seen)
    levels = (np.clip(seen, 0, 1) * 255).astype(np.uint8)
    # A recorder's video, a still of it, and that stored again.
    for chance, store in ((0.45, filmed), (0.6, packed), (0.15, packed)):
        if rng.random() < chance * hardness:
            levels = store(rng, levels)
    # The reader shrinks by area and enlarges linearly: so does the training.
    way = cv2.INTER_AREA if levels.shape[1] > crop.width else cv2.INTER_LINEAR
    return cv2.resize(levels, (crop.width, crop.height), interpolation=way)
