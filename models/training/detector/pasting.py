"""Pastes a rendered plate or sign into a photograph so that it takes on the scene's light, tilt and
grain.
"""

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.detector.augment import noise
from models.training.detector.flat_images import Image
from models.training.render.pose import STEEPEST_ROLL_DEG, draw_pose, projected

Corners = NDArray[np.float32]  # 4 x 2, px, clockwise from the plate's own top left
LARGEST_ROLL_DEG = STEEPEST_ROLL_DEG
POSED = 0.5
REFLECTING, BRIGHTEST = 0.5, 2.5  # share of plates in a lamp's light, and how much brighter


def quad(rng: Generator, width: float, height: float, roll_deg: float) -> Corners:
    """A plate of that width around the origin, seen from somewhere.

    Some are true views through a lens, as steep as the reader's. The others are rolled, sheared and
    foreshortened a little, which no lens does but a bent plate.
    """
    if rng.random() < POSED:
        pose = replace(draw_pose(rng, 1.0), roll=roll_deg)
        corners = projected(pose, width / height)
        return corners * np.float32(width / np.ptp(corners[:, 0]))
    x, y = width / 2, height / 2
    corners = np.array([[-x, -y], [x, -y], [x, y], [-x, y]], np.float32)
    yaw = rng.normal(0, 0.09)  # the far side is that much less high
    corners[[0, 3], 1] *= 1 + yaw
    corners[[1, 2], 1] *= 1 - yaw
    corners[:, 0] *= 1 - min(0.35, abs(yaw) * rng.uniform(0, 2))
    pitch = rng.normal(0, 0.03)
    corners[[0, 1], 0] *= 1 + pitch
    corners[[2, 3], 0] *= 1 - pitch
    shear_x, shear_y = rng.normal(0, 0.08), rng.normal(0, 0.07)
    angle = np.radians(roll_deg)
    matrix = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    matrix = matrix @ np.array([[1, shear_x], [shear_y, 1]], np.float32)
    return corners @ matrix.T.astype(np.float32)


def roll(rng: Generator) -> float:
    """Degrees, mostly near level, at most LARGEST_ROLL_DEG."""
    if rng.random() < 0.25:
        return float(rng.uniform(-LARGEST_ROLL_DEG, LARGEST_ROLL_DEG))
    return float(np.clip(rng.normal(0, 5), -LARGEST_ROLL_DEG, LARGEST_ROLL_DEG))


def in_holder(rng: Generator, plate: Image) -> tuple[Image, Corners]:
    """The plate in a holder or on bodywork (a rim of one colour), and the plate's corners inside
    that picture.
    """
    height, width = plate.shape[:2]
    rim = np.zeros(4, int)
    if rng.random() < 0.55:
        rim = np.maximum(1, (height * rng.uniform(0.02, 0.16, 4)).astype(int))
    top, bottom, left, right = (int(v) for v in rim)
    grey = rng.uniform(0, 70) if rng.random() < 0.7 else rng.uniform(70, 240)
    colour = [float(np.clip(grey + rng.normal(0, 12), 0, 255)) for _ in range(3)]
    framed = cv2.copyMakeBorder(plate, top, bottom, left, right, cv2.BORDER_CONSTANT, value=colour)
    corners = np.array(
        [[left, top], [left + width, top], [left + width, top + height], [left, top + height]],
        np.float32,
    )
    return framed, corners


def lit_like(
    rng: Generator, picture: NDArray[np.float32], surroundings: Image
) -> NDArray[np.float32]:
    """Scale the picture's brightness and tint to its surroundings; now and then a shadow lies
    across it.
    """
    level = float(np.percentile(surroundings[::4, ::4], 90))
    white = np.clip(level * rng.uniform(0.65, 1.5), 22, 252)
    gain = white / max(60.0, float(np.percentile(picture[::2, ::2, :3], 92)))
    tint = surroundings.reshape(-1, 3).mean(axis=0) + 8
    tint = (tint / tint.mean()) ** rng.uniform(0, 0.6)
    picture[:, :, :3] *= (gain * tint).astype(np.float32)
    picture[:, :, :3] += rng.uniform(0, 14)
    if rng.random() < 0.25:
        height, width = picture.shape[:2]
        steps = np.linspace(0, 1, max(height, width), dtype=np.float32)
        ramp = np.clip((steps - rng.uniform(0.1, 0.9)) * rng.choice([-8, -1.5, 1.5, 8]), -0.5, 0.5)
        ramp = 1 + ramp * rng.uniform(0.2, 0.8)
        if rng.random() < 0.5:
            picture[:, :, :3] *= ramp[:height, None, None]
        else:
            picture[:, :, :3] *= ramp[None, :width, None]
    return picture


def lit_beforehand(
    rng: Generator, canvas: Image, picture: Image, inner: Corners, target: Corners
) -> tuple[Image, tuple[float, float, float]]:
    """The picture in the light that is where it will land, and the colour of its ground.

    What is then painted around the place no longer changes its light: a lamp or the sun lights a
    reflecting plate and dull paint unlike.
    """
    flat = picture.astype(np.float32)
    size = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(target.min(axis=0)).astype(int), 0, size - 1)
    high = np.clip(np.ceil(target.max(axis=0)).astype(int), low + 1, size)
    flat = lit_like(rng, flat, surroundings(canvas, low, high))
    if rng.random() < REFLECTING:
        flat[:, :, :3] *= rng.uniform(1, BRIGHTEST)
    flat = np.clip(flat, 0, 255)
    x0, y0, x1, y1 = (int(v) for v in (*inner.min(axis=0), *inner.max(axis=0)))
    ground = np.median(flat[y0:y1:2, x0:x1:2, :3].reshape(-1, 3), axis=0)
    return flat.astype(np.uint8), tuple(float(v) for v in ground)


def surroundings(canvas: Image, low: NDArray[np.intp], high: NDArray[np.intp]) -> Image:
    """The part of the canvas from x, y `low` to `high`, and as far again around it as that is
    high.
    """
    margin = max(8, int(high[1] - low[1]))
    (x0, y0), (x1, y1) = np.maximum(low - margin, 0), high + margin
    return canvas[y0:y1, x0:x1]


def paste(
    rng: Generator,
    canvas: Image,
    picture: Image,
    inner: Corners,
    target: Corners,
    *,
    lit: bool = False,
) -> None:
    """Warp `picture` (H x W x 3 or 4) into `canvas`, in place, so that its `inner` corners land on
    `target`.

    `lit`: it has its light already.
    """
    wanted = float(np.linalg.norm(target[1] - target[0]))
    have = float(np.linalg.norm(inner[1] - inner[0]))
    factor = min(1.0, 1.15 * wanted / have)
    if factor < 0.85:  # shrink by area first: a bilinear warp alone would alias the strokes
        size = (max(2, round(picture.shape[1] * factor)), max(2, round(picture.shape[0] * factor)))
        shrunk = [size[0] / picture.shape[1], size[1] / picture.shape[0]]
        inner = inner * np.array(shrunk, np.float32)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    warp = cv2.getPerspectiveTransform(inner.astype(np.float32), target.astype(np.float32))
    high, wide = picture.shape[:2]
    rim = np.array([[[0, 0], [wide, 0], [wide, high], [0, high]]], np.float32)
    outer = cv2.perspectiveTransform(rim, warp)[0]
    height, width = canvas.shape[:2]
    x0, y0 = np.maximum(np.floor(outer.min(axis=0)).astype(int) - 2, 0)
    x1, y1 = np.minimum(np.ceil(outer.max(axis=0)).astype(int) + 3, [width, height])
    if x1 - x0 < 3 or y1 - y0 < 3:
        return
    region = canvas[y0:y1, x0:x1]
    shift = np.array([[1, 0, -x0], [0, 1, -y0], [0, 0, 1]], np.float64) @ warp
    flat = picture.astype(np.float32)
    if flat.shape[2] == 3:
        flat = np.dstack([flat, np.full(flat.shape[:2], 255, np.float32)])
    if not lit:
        around = surroundings(canvas, np.array([x0, y0]), np.array([x1, y1]))
        flat = lit_like(rng, flat, around)
    # A border of the picture's own colour with no opacity: the edge blends without a dark seam.
    flat = cv2.copyMakeBorder(flat, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    flat[[0, -1], :, 3] = 0
    flat[:, [0, -1], 3] = 0
    shift = shift @ np.array([[1, 0, -1], [0, 1, -1], [0, 0, 1]], np.float64)
    warped = cv2.warpPerspective(flat, shift, (int(x1 - x0), int(y1 - y0)), flags=cv2.INTER_LINEAR)
    if rng.random() < 0.6:
        warped = cv2.GaussianBlur(warped, (0, 0), rng.uniform(0.3, 1.1))
    alpha = warped[:, :, 3:] / 255
    mixed = region * (1 - alpha) + np.clip(warped[:, :, :3], 0, 255) * alpha
    mixed = np.clip(mixed, 0, 255).astype(np.uint8)
    if rng.random() < 0.5:
        grain = noise(rng, mixed, rng.uniform(1, 7))
        mixed = np.where(alpha > 0.5, grain, mixed)
    canvas[y0:y1, x0:x1] = mixed
