"""Sees a plate from where a camera may stand: a pose in space, projected through a pinhole."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

STEEPEST_YAW_DEG, STEEPEST_PITCH_DEG, STEEPEST_ROLL_DEG = 60.0, 25.0, 25.0
NEAREST, FARTHEST = 4.0, 40.0  # from the camera, in plate widths


@dataclass(frozen=True, slots=True)
class Pose:
    """Of a plate before the camera, degrees.

    `yaw`: seen from the side; `pitch`: from above; `roll`: tilted in the picture. `distance`: in
    plate widths.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    distance: float = 12.0


def draw_pose(rng: Generator, hardness: float) -> Pose:
    """Half of the hard ones anywhere within the steepest angles, the others near the front."""
    yaw, pitch, roll = rng.normal(0, 1, 3) * (10 * hardness, 5 * hardness, 1 + 4 * hardness)
    if rng.random() < 0.5 * hardness:
        yaw = rng.uniform(-STEEPEST_YAW_DEG, STEEPEST_YAW_DEG)
    if rng.random() < 0.4 * hardness:
        pitch = rng.uniform(-0.4, 1.0) * STEEPEST_PITCH_DEG  # most cameras look down
    if rng.random() < 0.25 * hardness:
        roll = rng.uniform(-STEEPEST_ROLL_DEG, STEEPEST_ROLL_DEG)
    return Pose(
        float(np.clip(yaw, -STEEPEST_YAW_DEG, STEEPEST_YAW_DEG)),
        float(np.clip(pitch, -STEEPEST_PITCH_DEG, STEEPEST_PITCH_DEG)),
        float(np.clip(roll, -STEEPEST_ROLL_DEG, STEEPEST_ROLL_DEG)),
        float(np.exp(rng.uniform(np.log(NEAREST), np.log(FARTHEST)))),
    )


def projected(pose: Pose, aspect: float) -> NDArray[np.float32]:
    """The plate's corners, 4×2, clockwise from top left, around the origin; one is the width of
    the plate seen from the front. `aspect`: its width over its height.

    The lens faces the plate's middle, so that this stays at the origin.
    """
    half, tall = 0.5, 0.5 / aspect
    plane = np.array([[-half, -tall, 0], [half, -tall, 0], [half, tall, 0], [-half, tall, 0]])
    yaw, pitch, roll = np.radians([pose.yaw, pose.pitch, pose.roll])
    around_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    around_x = np.array(
        [[1, 0, 0], [0, np.cos(pitch), -np.sin(pitch)], [0, np.sin(pitch), np.cos(pitch)]]
    )
    around_z = np.array(
        [[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]]
    )
    points = plane @ (around_z @ around_x @ around_y).T
    return (points[:, :2] * (pose.distance / (pose.distance + points[:, 2:]))).astype(np.float32)
