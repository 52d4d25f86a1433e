"""Puts a clip together: a street, what moves on it, a lens, a light; draws the frames and works out
the truth from the same geometry.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import cos, hypot, sin

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from agent.core.reading.sighting import Image
from bench.clips.cars import Panel
from bench.clips.clip import Clip, PassingPlate, Seen
from bench.clips.drawing import draw
from bench.clips.lens import Lens
from bench.clips.light import Light, Sensor
from bench.clips.street import street

Points = NDArray[np.float64]
# Where a plate is looked at to say how much of it is shown: columns and rows from edge to edge.
PROBES = np.stack(np.meshgrid(np.linspace(0, 1, 9), np.linspace(0, 1, 5)), -1).reshape(-1, 2)
NEAREST_M = 2.0  # nearer, nothing is drawn


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a thing stands: metres on the road, and how far it is turned from facing the camera."""

    x_m: float
    z_m: float
    yaw_rad: float = 0.0


Path = Callable[[float], Pose | None]  # by the clip's seconds; None: it is not there


@dataclass(frozen=True, slots=True)
class Actor:
    """A thing on the road. What is nearer hides what is farther, unless it is `airy`."""

    panels: tuple[Panel, ...]
    path: Path
    airy: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a clip is drawn from."""

    name: str
    seed: int
    lens: Lens
    light: Light
    seconds: float
    actors: Sequence[Actor]
    frames_per_second: float = 15.0
    extra: Sequence[Callable[[Image, float], None]] = field(default=())


def stage(scene: Scene, rng: Generator) -> Clip:
    """The clip of a scene."""
    lens = scene.lens
    backdrop = scene.light.on(street(lens, rng))
    sensor = Sensor(scene.light, rng, lens.width_px, lens.height_px)
    length = round(scene.seconds * scene.frames_per_second)

    def paint(number: int) -> Image:
        t_s = number / scene.frames_per_second
        canvas = backdrop.copy()
        for actor, pose in on_stage(scene.actors, t_s):
            before = actor.path(t_s - scene.light.exposure_s) or pose
            for panel in actor.panels:
                quad = corners(lens, panel, pose)
                way = quad.mean(0) - corners(lens, panel, before).mean(0)
                draw(canvas, panel.picture, quad, tuple(way), sharp=bool(panel.text))
        for layer in scene.extra:
            layer(canvas, t_s)
        return sensor.take(canvas, number, t_s)

    plates = tuple(truths(scene, length))
    return Clip(
        scene.name,
        scene.seed,
        lens.width_px,
        lens.height_px,
        scene.frames_per_second,
        length,
        plates,
        paint,
    )


def on_stage(actors: Sequence[Actor], t_s: float) -> list[tuple[Actor, Pose]]:
    """Who is there, the farthest first."""
    posed = [(actor, actor.path(t_s)) for actor in actors]
    here = [(actor, pose) for actor, pose in posed if pose and pose.z_m > NEAREST_M]
    return sorted(here, key=lambda one: -one[1].z_m)


def corners(lens: Lens, panel: Panel, pose: Pose) -> Points:
    """4×2 px, clockwise from the picture's top left."""
    left, right = panel.left_m, panel.left_m + panel.width_m
    top, bottom = panel.bottom_m + panel.height_m, panel.bottom_m
    return lens.project(
        np.array(
            [
                (pose.x_m + u * cos(pose.yaw_rad), v, pose.z_m + u * sin(pose.yaw_rad))
                for u, v in ((left, top), (right, top), (right, bottom), (left, bottom))
            ]
        )
    )


def truths(scene: Scene, length: int) -> Iterator[PassingPlate]:
    """Each plate, by frame; one that is away for long comes back as another pass.

    A scene gives each presence an actor of its own.
    """
    whole: dict[tuple[int, int], dict[int, Seen]] = {}
    for number in range(length):
        t_s = number / scene.frames_per_second
        here = on_stage(scene.actors, t_s)
        for place, (actor, pose) in enumerate(here):
            cover = [
                corners(scene.lens, panel, other_pose).astype(np.float32)
                for other, other_pose in here[place + 1 :]
                if not other.airy
                for panel in other.panels
            ]
            for index, panel in enumerate(actor.panels):
                if panel.text:
                    seen = look(scene, actor, panel, pose, t_s, cover)
                    if seen.shown > 0:
                        whole.setdefault((id(actor), index), {})[number] = seen
    for actor in scene.actors:
        for index, panel in enumerate(actor.panels):
            if panel.text:
                yield PassingPlate(panel.text, whole.get((id(actor), index), {}))


def look(
    scene: Scene, actor: Actor, panel: Panel, pose: Pose, t_s: float, cover: list[NDArray]
) -> Seen:
    """One plate in one frame."""
    lens, quad = scene.lens, corners(scene.lens, panel, pose)
    before = actor.path(t_s - scene.light.exposure_s) or pose
    way = quad.mean(0) - corners(lens, panel, before).mean(0)
    unit = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    matrix = cv2.getPerspectiveTransform(unit, quad.astype(np.float32))
    probes = cv2.perspectiveTransform(PROBES[None].astype(np.float32), matrix)[0]
    inside = ((probes >= 0) & (probes <= [lens.width_px, lens.height_px])).all(1)
    for quad_over in cover:
        inside &= [
            cv2.pointPolygonTest(quad_over, (float(x), float(y)), measureDist=False) < 0
            for x, y in probes
        ]
    (x, y), (width, height) = quad.min(0), np.ptp(quad, axis=0)
    return Seen(
        (float(x), float(y), float(width), float(height)), float(inside.mean()), hypot(*way)
    )
