"""Light, blur, noise, greyness and compression: what lens, sensor and encoder do to a picture."""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.detector.flat_images import Image

NOISE_BANK = np.random.default_rng(7).standard_normal(1 << 21).astype(np.float32)


def noise(rng: Generator, image: Image, sigma: float) -> Image:
    """Add Gaussian noise of `sigma` grey levels; drawn from a bank, which is ten times as fast as
    fresh noise.
    """
    start = int(rng.integers(0, NOISE_BANK.size - image.size))
    grain = NOISE_BANK[start : start + image.size].reshape(image.shape)
    return np.clip(image + grain * sigma, 0, 255).astype(np.uint8)


def light(rng: Generator, image: Image) -> Image:
    """Exposure (dark one time in five, over-exposed one in eight), gamma, white balance, haze."""
    draw = rng.random()
    if draw < 0.2:
        gain = rng.uniform(0.22, 0.6)
    elif draw < 0.32:
        gain = rng.uniform(1.3, 1.9)
    else:
        gain = rng.uniform(0.7, 1.3)
    gains = gain * rng.uniform(0.86, 1.14, 3)
    if rng.random() < 0.4:  # a neutral white balance: much of the night set is magenta
        means = image[::4, ::4].reshape(-1, 3).mean(axis=0) + 4
        gains *= np.clip((means.mean() / means) ** rng.uniform(0.5, 1), 0.4, 2.2)
    gamma = np.exp(rng.uniform(-0.35, 0.35))
    haze = rng.uniform(20, 110) if rng.random() < 0.06 else 0.0
    level = (np.arange(256, dtype=np.float32) / 255) ** gamma * 255
    table = level[:, None] * gains[None, :] * (1 - haze / 255) + haze
    return cv2.LUT(image, np.clip(table, 0, 255).astype(np.uint8)[:, None, :])


def motion_blur(rng: Generator, image: Image) -> Image:
    """A straight smear of 3 to 9 px in any direction, mostly level."""
    length = int(rng.integers(3, 10))
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1.0 / length
    angle = rng.normal(0, 20) if rng.random() < 0.7 else rng.uniform(-90, 90)
    turn = cv2.getRotationMatrix2D(((length - 1) / 2, (length - 1) / 2), angle, 1.0)
    kernel = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(image, -1, kernel / max(kernel.sum(), 1e-3))


def lower_resolution(rng: Generator, image: Image) -> Image:
    """As if the picture had been enlarged from fewer pixels."""
    height, width = image.shape[:2]
    factor = rng.uniform(1.3, 2.4)
    small = cv2.resize(
        image, (int(width / factor), int(height / factor)), interpolation=cv2.INTER_AREA
    )
    how = cv2.INTER_CUBIC if rng.random() < 0.5 else cv2.INTER_LINEAR
    return cv2.resize(small, (width, height), interpolation=how)


def degrade(rng: Generator, image: Image) -> Image:
    """One random camera and encoder for the whole picture."""
    if rng.random() < 0.08:
        image = np.ascontiguousarray(image[:, :, rng.permutation(3)])
    image = light(rng, image)
    if rng.random() < 1 / 3:
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    if rng.random() < 0.12:
        image = lower_resolution(rng, image)
    draw = rng.random()
    if draw < 0.25:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.8))
    elif draw < 0.37:
        image = motion_blur(rng, image)
    elif draw < 0.45:
        # As a sharpening camera does.
        image = cv2.addWeighted(image, 1.7, cv2.GaussianBlur(image, (0, 0), 1.2), -0.7, 0)
    if rng.random() < 0.4:
        image = noise(rng, image, rng.uniform(2, 16))
    if rng.random() < 0.35:
        quality = int(rng.integers(22, 88))
        image = cv2.imdecode(
            cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR
        )
    return image


def negate(image: Image, corners: NDArray[np.float32]) -> None:
    """Light where it was dark inside `corners` (4×2 px), between the same extremes; in place."""
    height, width = image.shape[:2]
    x0, y0 = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    x1, y1 = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, [width, height])
    if x1 - x0 < 2 or y1 - y0 < 2:
        return
    part = image[y0:y1, x0:x1]
    mask = np.zeros(part.shape[:2], np.uint8)
    cv2.fillConvexPoly(mask, np.round(corners - [x0, y0]).astype(np.int32), 255, cv2.LINE_AA)
    low, high = np.percentile(part[mask > 127], (2, 98)) if (mask > 127).any() else (0, 255)
    turned = np.clip(low + high - part.astype(np.float32), 0, 255)
    cover = mask[:, :, None].astype(np.float32) / 255
    part[:] = (part + cover * (turned - part)).astype(np.uint8)
