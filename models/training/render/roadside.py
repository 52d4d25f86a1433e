"""Photographs a posed plate in the camera's own pixels, then pulls it straight along its corners as
the reader does.

A plate seen from the side has few pixels across and many down, and its blur is the frame's, not
the straight crop's. Spoiling the crop alone (degrade.photograph) does not show that.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render import degrade
from models.training.render.degrade import SUPERSAMPLING, Crop, Grey
from models.training.render.pose import Pose, draw_pose, projected
from models.training.render.video import filmed

Levels = NDArray[np.uint8]
SMALL_PX, WIDTHS_PX = (40.0, 80.0), (45.0, 230.0)  # of the plate as seen; a third are small
SMALL_SHARE = 0.35
AROUND = 0.35  # of the plate's sides, on each side
DEFOCUS_SHARE = 0.16
# Standard deviation of the blur, px of the sensor: of a lens in focus, and out of it.
FOCUSED, DEFOCUSED = (0.25, 0.8), (0.9, 2.0)
READABLE = 0.024  # of the plate's width: more blur than that leaves nothing to be learnt
LARGEST_SCALE = 4  # as the reader's LARGEST_STRAIGHTENED


@dataclass(frozen=True, slots=True)
class Shot:
    """How a plate is taken: its pose, its width in the picture and the blur's deviation, px."""

    pose: Pose
    width_px: float
    blur_px: float


def draw_shot(rng: Generator, hardness: float) -> Shot:
    """Small ones often, out of focus now and then."""
    width = float(np.exp(rng.uniform(*np.log(WIDTHS_PX))))
    if rng.random() < SMALL_SHARE * hardness:
        width = float(rng.uniform(*SMALL_PX))
    elif rng.random() > 0.3 + 0.7 * hardness:
        width = 220.0
    blur = rng.uniform(*FOCUSED) * (0.4 + 0.6 * hardness)
    if rng.random() < DEFOCUS_SHARE * hardness:
        blur = min(rng.uniform(*DEFOCUSED), max(blur, READABLE * width))
    return Shot(draw_pose(rng, hardness), width, float(blur))


def corners_in_frame(shot: Shot, aspect: float) -> NDArray[np.float32]:
    """4×2 px, clockwise from top left, around the origin: as wide as the shot says."""
    corners = projected(shot.pose, aspect)
    return corners * np.float32(shot.width_px / np.ptp(corners[:, 0]))


def posed(
    rng: Generator,
    picture: Grey,
    quad: NDArray[np.float32],
    shot: Shot,
    hardness: float,
    *,
    surrounded: bool,
) -> tuple[Levels, NDArray[np.float32]]:
    """The frame's part around the plate that fills `quad` in `picture` (H×W, 0–1), and its corners
    there.
    """
    sides = [float(np.hypot(*(quad[a] - quad[b]))) for a, b in ((1, 0), (2, 3), (3, 0), (2, 1))]
    corners = corners_in_frame(shot, (sides[0] + sides[1]) / max(2.0, sides[2] + sides[3]))
    low, size = corners.min(0), np.ptp(corners, axis=0)
    corners = corners - low + size * AROUND + rng.uniform(0, 1, 2).astype(np.float32)
    width, height = (int(side * (1 + 2 * AROUND)) + 2 for side in size)
    seen = warped(picture, quad, corners * SUPERSAMPLING, (width, height), surrounded=surrounded)
    if not surrounded:
        outside = seen < -0.01
        seen[outside] = degrade.backdrop(rng, seen.shape[1], seen.shape[0])[outside]
    seen = degrade.weathered(rng, seen, hardness)
    seen = cv2.GaussianBlur(seen, (0, 0), max(0.3, shot.blur_px * SUPERSAMPLING))
    if rng.random() < 0.25 * hardness:
        seen = degrade.motion(rng, seen, SUPERSAMPLING)
    seen = cv2.resize(seen, (width, height), interpolation=cv2.INTER_AREA)
    seen = degrade.expose(rng, seen, hardness)
    if rng.random() < 0.45 * hardness:
        seen = degrade.processed(rng, seen)
    levels = (np.clip(seen, 0, 1) * 255).astype(np.uint8)
    for chance, store in ((0.45, filmed), (0.15, degrade.packed_in_place)):
        if rng.random() < chance * hardness:
            levels = store(rng, levels)
    return levels, corners


def warped(
    picture: Grey,
    quad: NDArray[np.float32],
    target: NDArray[np.float32],
    sides: tuple[int, int],
    *,
    surrounded: bool,
) -> Grey:
    """The picture with `quad` on `target`, `sides` × SUPERSAMPLING px; below zero outside of it."""
    wanted, have = (float(np.hypot(*(at[1] - at[0]))) for at in (target, quad))
    factor = max(0.05, 1.15 * wanted / max(1.0, have))
    if factor < 0.85:  # shrunk by area first: a warp alone would alias the strokes
        small = cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        quad = quad * np.array(small.shape[::-1], np.float32) / picture.shape[::-1]
        picture = small
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), target.astype(np.float32))
    big = (sides[0] * SUPERSAMPLING, sides[1] * SUPERSAMPLING)
    if surrounded:
        return cv2.warpPerspective(picture, matrix, big, borderMode=cv2.BORDER_REPLICATE)
    return cv2.warpPerspective(picture, matrix, big, borderValue=(-9.0,))


def straight(
    rng: Generator, levels: Levels, corners: NDArray[np.float32], crop: Crop, hardness: float
) -> Levels:
    """The plate cut along corners that are off as the aligner's are."""
    width = float(np.hypot(*(corners[1] - corners[0])))
    scale = min(max(1, int(width / crop.width)), LARGEST_SCALE)
    matrix = degrade.rectified_view(rng, corners, crop, hardness)
    shrink = np.diag([scale / SUPERSAMPLING, scale / SUPERSAMPLING, 1.0])
    pulled = cv2.warpPerspective(
        levels,
        shrink @ matrix,
        (crop.width * scale, crop.height * scale),
        borderMode=cv2.BORDER_REPLICATE,
    )
    if scale == 1:
        return pulled
    return cv2.resize(pulled, (crop.width, crop.height), interpolation=cv2.INTER_AREA)


def photograph_posed(
    rng: Generator,
    picture: Grey,
    quad: NDArray[np.float32],
    crop: Crop,
    hardness: float,
    *,
    surrounded: bool,
) -> Levels:
    """As degrade.photograph: the crop, height × width."""
    shot = draw_shot(rng, hardness)
    levels, corners = posed(rng, picture, quad, shot, hardness, surrounded=surrounded)
    return straight(rng, levels, corners, crop, hardness)
