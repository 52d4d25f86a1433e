"""Composes one training picture: a zoomed photograph, pasted plates and signs, one camera over all
of it.
"""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.detector import augment, bodywork, pasting
from models.training.detector.flat_images import FlatImages, Image
from models.training.render.syntax import tables

NARROWEST_PX, WIDEST_PX, CLOSE_UP_PX = 16.0, 260.0, 440.0
MOST_ENLARGED = 3.5
ON_BODYWORK = 0.5  # of the pasted plates: on a drawn panel of a vehicle, where there is room
# Of these, on paint like the plate's own ground: a black plate on a black car shows no edge.
SAME_SHADE = 0.55
# Of these, dark ones for sure: their lettering is all that stands out, as on a sign.
SURELY_DARK, DARK_LEVEL, DRAWS = 0.6, 110, 6
PAD = 114  # grey of the letterbox, as at inference
# Shares of scenes around: a North American plate, a Romanian plate by night, nothing (no plate in
# the photograph), a known mistake.
KINDS = (0.40, 0.30, 0.18, 0.12)
UNKNOWN = np.full((4, 2), np.nan, np.float32)


@dataclass(slots=True)
class Scene:
    """A picture, H x W x 3 BGR, and its plates, px.

    `plates`: hulls x0, y0, x1, y1 with corners 4 x 2 (NaN where unknown) and rows of text (0 where
    unknown); `ignored`: hulls that count neither way; `distractors`: hulls of what is no plate and
    may look like one.
    """

    image: Image
    plates: list[tuple[NDArray[np.float32], NDArray[np.float32], int]] = field(default_factory=list)
    ignored: list[NDArray[np.float32]] = field(default_factory=list)
    distractors: list[NDArray[np.float32]] = field(default_factory=list)

    def taken(self, hull: NDArray[np.float32], margin: float = 0.15) -> bool:
        """Whether `hull`, grown by `margin` of its sides, touches any plate."""
        grow = (hull[2:] - hull[:2]) * margin
        low, high = hull[:2] - grow, hull[2:] + grow
        hulls = [*(plate for plate, _, _ in self.plates), *self.ignored]
        return any((other[:2] < high).all() and (other[2:] > low).all() for other in hulls)

    def ignore(self, hull: NDArray[np.float32]) -> None:
        """Let what lies in `hull` count neither way."""
        height, width = self.image.shape[:2]
        clipped = np.array(
            [*np.maximum(hull[:2], 0), *np.minimum(hull[2:], [width, height])], np.float32
        )
        if (clipped[2:] > clipped[:2]).all():
            self.ignored.append(clipped)

    def add(self, hull: NDArray[np.float32], corners: NDArray[np.float32], rows: int = 0) -> None:
        """Record a plate, clipped to the picture; mostly outside or tiny, it counts neither way."""
        height, width = self.image.shape[:2]
        clipped = np.array(
            [*np.maximum(hull[:2], 0), *np.minimum(hull[2:], [width, height])], np.float32
        )
        sides = clipped[2:] - clipped[:2]
        if (sides <= 0).any():
            return
        seen = float(sides.prod() / (hull[2:] - hull[:2]).prod())
        if seen < 0.6 or sides[0] < 9 or sides[1] < 4:
            self.ignored.append(clipped)
        else:
            self.plates.append((clipped, corners if seen > 0.98 else UNKNOWN, rows))


def hull_of(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """x0, y0, x1, y1 around points."""
    return np.array([*points.min(axis=0), *points.max(axis=0)], np.float32)


def box_corners(box: list[float]) -> NDArray[np.float32]:
    """x, y, w, h to four corners, clockwise from the top left."""
    x, y, w, h = box
    return np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float32)


def plate_width(rng: Generator, canvas_width: int) -> float:
    """Log-uniform; one in twelve a close-up where the canvas has room for one."""
    if rng.random() < 1 / 12:
        return float(
            rng.uniform(min(200.0, 0.5 * canvas_width), min(CLOSE_UP_PX, 0.85 * canvas_width))
        )
    return float(
        np.exp(rng.uniform(np.log(NARROWEST_PX), np.log(min(WIDEST_PX, 0.75 * canvas_width))))
    )


class SceneMaker:
    """Draws scenes; all randomness comes from the generator that it is called with."""

    def __init__(
        self,
        photographs: FlatImages,
        plates: FlatImages,
        signs: FlatImages,
        kinds: tuple[float, ...] = KINDS,
    ) -> None:
        self.kinds = kinds
        self.photographs, self.rendered_plates, self.signs = photographs, plates, signs
        notes = photographs.notes
        self.groups = [
            [i for i, n in enumerate(notes) if n["set"] == "darkplate" and n["boxes"]],
            [i for i, n in enumerate(notes) if n["set"] == "romania_night"],
            [i for i, n in enumerate(notes) if not n["boxes"]],
            [i for i, n in enumerate(notes) if n["mistaken"]],
        ]

    def scene(self, rng: Generator, width: int, height: int) -> Scene:
        """One picture of that size with everything pasted and degraded."""
        kind = int(rng.choice(4, p=self.kinds))
        group = self.groups[kind]
        index = group[int(rng.integers(len(group)))]
        scene = self.zoomed(rng, index, width, height, mistaken=kind == 3)
        for _, corners, _ in scene.plates:
            if np.isfinite(corners).all() and rng.random() < tables()["polarity"]["light_on_dark"]:
                augment.negate(scene.image, corners)
        if scene.plates and rng.random() < 0.3:
            self.replace(rng, scene)
        for _ in range(int(rng.choice(4, p=[0.3, 0.4, 0.2, 0.1]))):
            self.paste_plate(rng, scene)
        if rng.random() < 0.65:
            for _ in range(int(rng.integers(1, 6))):
                self.paste_sign(rng, scene)
        scene.image = augment.degrade(rng, scene.image)
        return scene

    def zoomed(
        self, rng: Generator, index: int, width: int, height: int, *, mistaken: bool
    ) -> Scene:
        """The photograph, flipped, zoomed, a little rotated, so that a plate (or what was mistaken
        for one) gets the width drawn.
        """
        source = self.photographs[index]
        note = self.photographs.notes[index]
        high, wide = source.shape[:2]
        fit = max(width / wide, height / high)
        targets = note["mistaken"] if mistaken else note["boxes"]
        if targets:
            x, y, w, h = targets[int(rng.integers(len(targets)))]
            zoom = plate_width(rng, width) / w
            middle = np.array([x + w / 2, y + h / 2])
        else:
            zoom = fit * np.exp(rng.uniform(-0.4, 0.9))
            middle = rng.uniform([0, 0], [wide, high])
        zoom = float(
            np.clip(zoom, (0.5 if rng.random() < 0.15 else 0.75) * fit, max(MOST_ENLARGED, fit))
        )
        stretch = np.exp(rng.normal(0, 0.06, 2)) * zoom
        turned = rng.random() < 0.4
        angle = np.radians(rng.uniform(-9, 9)) if turned else 0.0
        flip = -1.0 if rng.random() < 0.35 else 1.0
        linear = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        linear = linear @ np.diag([flip * stretch[0], stretch[1]])
        aim = rng.uniform([0.15, 0.15], [0.85, 0.85]) * [width, height]
        offset = aim - linear @ middle
        outline = np.array([[0, 0], [wide, 0], [wide, high], [0, high]]) @ linear.T
        # Where the photograph is larger than the canvas, slide it so that no border shows; where
        # smaller, keep it inside.
        low, top = outline.min(axis=0), outline.max(axis=0)
        a, b = -low, np.array([width, height]) - top
        offset = np.clip(offset, np.minimum(a, b), np.maximum(a, b))
        scene = Scene(warp(source, linear, offset, width, height))
        carry_over(scene, note, linear, offset, flipped=flip < 0)
        return scene

    def draw_plate(self, rng: Generator) -> tuple[Image, NDArray[np.float32], int]:
        """A rendered plate in its holder, its corners in that picture, its rows of text (0: not
        noted).
        """
        index = int(rng.integers(len(self.rendered_plates)))
        rows = self.rendered_plates.notes[index].get("rows", 0)
        return *pasting.in_holder(rng, self.rendered_plates[index]), rows

    def draw_dark_plate(self, rng: Generator) -> tuple[Image, NDArray[np.float32], int]:
        """The same, of dark ground: the first of several that is."""
        for _ in range(DRAWS):
            drawn = self.draw_plate(rng)
            if np.median(drawn[0][::4, ::4, :3]) < DARK_LEVEL:
                break
        return drawn

    def replace(self, rng: Generator, scene: Scene) -> None:
        """Cover each real plate by a rendered one that sits where plates sit on cars."""
        real, scene.plates = scene.plates, []
        for hull, corners, known_rows in real:
            picture, inner, rows = self.draw_plate(rng)
            size = hull[2:] - hull[:2]
            aspect = float(np.ptp(inner[:, 0]) / np.ptp(inner[:, 1]))
            tall = max(float(size[1]), float(size[0]) / aspect) * rng.uniform(1.06, 1.25)
            target = (
                pasting.quad(rng, tall * aspect, tall, float(rng.normal(0, 2)))
                + (hull[:2] + hull[2:]) / 2
            )
            if scene.taken(hull_of(target), 0.0):
                scene.plates.append((hull, corners, known_rows))
                continue
            pasting.paste(rng, scene.image, picture, inner, target)
            scene.add(hull_of(target), target, rows)

    def paste_plate(self, rng: Generator, scene: Scene) -> None:
        """A rendered plate somewhere free; gives up quietly when there is no room."""
        height, width = scene.image.shape[:2]
        on_bodywork = rng.random() < ON_BODYWORK
        hardly_seen = on_bodywork and rng.random() < SAME_SHADE
        dark = hardly_seen and rng.random() < SURELY_DARK
        picture, inner, rows = self.draw_dark_plate(rng) if dark else self.draw_plate(rng)
        aspect = float(np.ptp(inner[:, 0]) / np.ptp(inner[:, 1]))
        wide = plate_width(rng, width)
        # Long plates need more width for the same height.
        wide = max(wide, NARROWEST_PX * aspect / 2.5)
        shape = pasting.quad(rng, wide, wide / aspect, pasting.roll(rng))
        target = place(rng, scene, shape, width, height, 0.12)
        if target is None:
            return
        panel = bodywork.panel_around(rng, target)
        on_bodywork = on_bodywork and not scene.taken(hull_of(panel), 0.0)
        lit, shade = on_bodywork and hardly_seen, None
        if lit:
            picture, ground = pasting.lit_beforehand(rng, scene.image, picture, inner, target)
            shade = bodywork.shade_like(rng, ground)
        if on_bodywork:
            scene.distractors += bodywork.paint(rng, scene.image, panel, wide / aspect, shade)
        pasting.paste(rng, scene.image, picture, inner, target, lit=lit)
        scene.add(hull_of(target), target, rows)

    def paste_sign(self, rng: Generator, scene: Scene) -> None:
        """A distractor somewhere free."""
        height, width = scene.image.shape[:2]
        picture = self.signs[int(rng.integers(len(self.signs)))]
        high, wide = picture.shape[:2]
        inner = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float32)
        tall = float(np.exp(rng.uniform(np.log(8), np.log(110))))
        if tall * wide / high > 0.8 * width:
            return
        shape = pasting.quad(rng, tall * wide / high, tall, float(rng.normal(0, 4)))
        target = place(rng, scene, shape, width, height, 0.4)
        if target is not None:
            pasting.paste(rng, scene.image, picture, inner, target)
            scene.distractors.append(hull_of(target))


def carry_over(
    scene: Scene,
    note: dict,
    linear: NDArray[np.float64],
    offset: NDArray[np.float64],
    *,
    flipped: bool,
) -> None:
    """Put what is known of a photograph where its turned and moved picture shows it."""
    for box, known in zip(note["boxes"], note["corners"], strict=True):
        points = box_corners(box) @ linear.T + offset
        corners = UNKNOWN
        if known is not None:
            corners = np.asarray(known, np.float32) @ linear.T + offset
            hull = hull_of(corners)
            if flipped:
                corners = corners[[1, 0, 3, 2]]
        else:
            hull = hull_of(points)
        scene.add(hull.astype(np.float32), corners.astype(np.float32))
    scene.distractors += [
        hull_of(box_corners(box) @ linear.T + offset).astype(np.float32) for box in note["mistaken"]
    ]
    for box in note["uncounted"]:
        scene.ignore(hull_of(box_corners(box) @ linear.T + offset))


def place(
    rng: Generator,
    scene: Scene,
    shape: NDArray[np.float32],
    width: int,
    height: int,
    outside: float,
) -> NDArray[np.float32] | None:
    """`shape` moved to a free spot, at most `outside` of its sides beyond the picture; None after
    four tries.
    """
    hull = hull_of(shape)
    size = hull[2:] - hull[:2]
    low, high = -hull[:2] - outside * size, np.array([width, height]) - hull[2:] + outside * size
    if (low >= high).any():
        return None
    for _ in range(4):
        shift = rng.uniform(low, high).astype(np.float32)
        if not scene.taken(hull + np.tile(shift, 2)):
            return shape + shift
    return None


def warp(
    source: Image, linear: NDArray[np.float64], offset: NDArray[np.float64], width: int, height: int
) -> Image:
    """Affine view of `source`; shrunk by area first, because a bilinear warp alone would alias."""
    zoom = float(np.sqrt(abs(np.linalg.det(linear))))
    inverse = np.linalg.inv(linear)
    view = (np.array([[0, 0], [width, 0], [width, height], [0, height]]) - offset) @ inverse.T
    low = np.clip(np.floor(view.min(axis=0)).astype(int) - 4, 0, None)
    high = np.clip(np.ceil(view.max(axis=0)).astype(int) + 4, None, source.shape[1::-1])
    if (high - low < 2).any():
        return np.full((height, width, 3), PAD, np.uint8)
    part = source[low[1] : high[1], low[0] : high[0]]
    offset = offset + linear @ low
    if zoom < 0.75:
        size = np.maximum(2, np.round((high - low) * zoom)).astype(int)
        linear = linear @ np.diag((high - low) / size)
        part = cv2.resize(part, (int(size[0]), int(size[1])), interpolation=cv2.INTER_AREA)
    matrix = np.column_stack([linear, offset])
    return cv2.warpAffine(
        np.ascontiguousarray(part),
        matrix,
        (width, height),
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=(PAD,) * 3,
    )
