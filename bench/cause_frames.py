"""Renders street scenes with one plate each, by what makes plates hard to read: one cause at a
time, everything else easy.

The same cause, seed and number give the same scene, so that two sets of weights are compared over
the same ones.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.reading.overlap import Box
from agent.core.reading.sighting import Frame, PlateBox
from agent.core.time.instant import Instant
from models.training.detector import bodywork
from models.training.render.degrade import SUPERSAMPLING
from models.training.render.plates import DrawnPlate, draw_plate
from models.training.render.pose import Pose
from models.training.render.roadside import Shot, corners_in_frame, warped

WIDTH_PX, HEIGHT_PX = 640, 384
ROOM_PX = 24  # from the frame's edge to a plate that is not cut
AROUND_PX = 12
SEEN = 0.6  # of a character's width: from there on a cut one counts
NOW = Instant(datetime(2026, 11, 22, 12, tzinfo=UTC))
Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cause:
    """What is asked of one set; the defaults are easy.

    Angles in degrees, both ways; `width_px`: of the plate seen from the front; `blur_px`: standard
    deviation. `own_paint`: the bodywork around it has the colour of its ground, so that no edge
    shows. `slashed`: there is a zero with a slash through it. `cut`: a part lies outside the frame.
    """

    name: str
    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    width_px: float = 110.0
    blur_px: float = 0.5
    light_on_dark: bool = False
    own_paint: bool = False
    rows: int = 1
    stacked: bool = False
    slashed: bool = False
    cut: bool = False


CAUSES = (
    Cause("dark on light"),
    Cause("light on dark", light_on_dark=True),
    Cause("light on dark, dark car", light_on_dark=True, own_paint=True),
    Cause("yaw 20", yaw=20, width_px=140),
    Cause("yaw 40", yaw=40, width_px=140),
    Cause("yaw 60", yaw=60, width_px=140),
    Cause("pitch 25", pitch=25),
    Cause("roll 20", roll=20),
    Cause("defocus 2 px", blur_px=2.0),
    Cause("two rows", rows=2, width_px=80),
    Cause("stacked", stacked=True),
    Cause("slashed zero", slashed=True),
    Cause("50 px", width_px=50),
    Cause("cut", cut=True),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """`plate`: where it really is, box inside the frame, corners perhaps not; `text`: what of it
    can be seen.
    """

    frame: Frame
    plate: PlateBox
    text: str

    @property
    def box(self) -> Box:
        """x, y, width, height px."""
        return self.plate.box


def scenes(cause: Cause, count: int, seed: int) -> Iterator[Scene]:
    """`count` scenes; the same ones whatever `count` is, and whatever other causes there are."""
    for number in range(count):
        yield one_scene(
            np.random.default_rng([seed, zlib.crc32(cause.name.encode()), number]), cause
        )


def one_scene(rng: Generator, cause: Cause) -> Scene:
    """One plate on bodywork, photographed."""
    drawn = plate_of(rng, cause)
    shot = shot_of(rng, cause)
    picture = np.clip(drawn.picture[:, :, 0], 0, 1)
    height, width = picture.shape
    corners = corners_in_frame(shot, width / height)
    corners, shown = placed(rng, corners, cut=cause.cut)
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    grey = photographed(rng, picture, quad, corners, shot, own_paint=cause.own_paint)
    hull = np.concatenate([corners.min(0), corners.max(0)])
    low, high = np.maximum(hull[:2], 0), np.minimum(hull[2:], [WIDTH_PX, HEIGHT_PX])
    box = (*(float(v) for v in low), *(float(v) for v in high - low))
    points = tuple((float(x), float(y)) for x, y in corners)
    plate = PlateBox(box, points, 1.0, rows=cause.rows)
    frame = Frame(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), NOW, 0)
    return Scene(frame, plate, seen_of(drawn, width, shown))


def plate_of(rng: Generator, cause: Cause) -> DrawnPlate:
    """The cause's plate, seen from the front."""
    while True:
        drawn = draw_plate(
            rng,
            region="us" if cause.stacked else None,
            channels=1,
            rows=cause.rows,
            light_on_dark=cause.light_on_dark,
            stacked=cause.stacked,
            slashed=1.0 if cause.slashed else None,
        )
        if not cause.slashed or "0" in drawn.text:
            return drawn


def shot_of(rng: Generator, cause: Cause) -> Shot:
    """The cause's pose, to either side, with a little of everything else."""
    near = rng.normal(0, 1, 3) * (4, 2, 1.5)
    pose = Pose(
        float(near[0] + rng.choice([-1, 1]) * cause.yaw),
        float(near[1] + cause.pitch),
        float(near[2] + rng.choice([-1, 1]) * cause.roll),
        float(rng.uniform(8, 30)),
    )
    front = corners_in_frame(Shot(replace(pose, yaw=0.0), 1.0, 0.0), 2.0)
    turned = corners_in_frame(Shot(pose, 1.0, 0.0), 2.0)
    narrower = np.ptp(front[:, 1]) / np.ptp(turned[:, 1])  # at one width, the turned one is higher
    return Shot(pose, cause.width_px * min(1.0, float(narrower)), cause.blur_px)


def placed(rng: Generator, corners: Points, *, cut: bool) -> tuple[Points, tuple[float, float]]:
    """The corners somewhere in the frame, and from where to where of the plate's width is seen."""
    corners = corners - corners.min(0)
    size = corners.max(0)
    free = np.maximum(1.0, np.array([WIDTH_PX, HEIGHT_PX]) - size - 2 * ROOM_PX)
    at = ROOM_PX + rng.uniform(0, 1, 2) * free
    if not cut:
        return (corners + at).astype(np.float32), (0.0, 1.0)
    lost = float(rng.uniform(0.12, 0.5))
    if rng.random() < 0.5:
        at[0] = -lost * size[0]
        return (corners + at).astype(np.float32), (lost, 1.0)
    at[0] = WIDTH_PX - (1 - lost) * size[0]
    return (corners + at).astype(np.float32), (0.0, 1 - lost)


def seen_of(drawn: DrawnPlate, width: int, shown: tuple[float, float]) -> str:
    """The text without the characters that lie mostly outside."""
    if shown == (0.0, 1.0):
        return drawn.text
    first, last = shown[0] * width, shown[1] * width
    return "".join(
        character
        for character, (start, end) in zip(drawn.text, drawn.spans, strict=True)
        if min(end, last) - max(start, first) > SEEN * (end - start)
    )


def photographed(
    rng: Generator,
    picture: NDArray[np.float32],
    quad: Points,
    corners: Points,
    shot: Shot,
    *,
    own_paint: bool = False,
) -> NDArray[np.uint8]:
    """The scene in grey: bodywork around the plate, lens, light, noise, JPEG."""
    plate_px = float(np.hypot(*(corners[3] - corners[0])))
    canvas = np.full((HEIGHT_PX, WIDTH_PX, 3), rng.uniform(40, 200), np.uint8)
    shade = None
    if own_paint:
        shade = bodywork.shade_like(rng, (255 * float(np.median(picture)),) * 3)
    bodywork.paint(rng, canvas, bodywork.panel_around(rng, corners), plate_px, shade)
    around = cv2.cvtColor(canvas, cv2.COLOR_BGR2GRAY).astype(np.float32) / 255
    seen = cv2.GaussianBlur(around, (0, 0), max(0.3, shot.blur_px))
    # Only the part around the plate is drawn finely: the rest has nothing fine in it.
    x0, y0 = (int(max(0, side)) for side in corners.min(0) - AROUND_PX)
    x1, y1 = (corners.max(0) + AROUND_PX).astype(int)
    part = around[y0:y1, x0:x1]
    sides = part.shape[1], part.shape[0]
    at = (corners - [x0, y0]).astype(np.float32)
    plate = warped(picture, quad, at * SUPERSAMPLING, sides, surrounded=False)
    fine = cv2.resize(part, None, fx=SUPERSAMPLING, fy=SUPERSAMPLING)
    fine = np.where(plate < -0.01, fine, plate)
    fine = cv2.GaussianBlur(fine, (0, 0), max(0.3, shot.blur_px * SUPERSAMPLING))
    seen[y0:y1, x0:x1] = cv2.resize(fine, sides, interpolation=cv2.INTER_AREA)
    seen *= np.float32(rng.uniform(0.5, 1))
    seen += rng.standard_normal(seen.shape, np.float32) * np.float32(rng.uniform(0.004, 0.02))
    levels = (np.clip(seen, 0, 1) * 255).astype(np.uint8)
    quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(60, 95))]
    _, jpeg = cv2.imencode(".jpg", levels, quality)
    return cv2.imdecode(jpeg, cv2.IMREAD_GRAYSCALE)
