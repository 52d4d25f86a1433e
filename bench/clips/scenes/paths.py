"""Ways along the road, in straight pieces."""

from collections.abc import Sequence

import numpy as np

from bench.clips.stage import Path, Pose

MPS_A_MPH = 0.44704

Stop = tuple[float, float, float]  # seconds, x, z in metres


def through(*stops: Stop, yaw_rad: float = 0.0) -> Path:
    """From stop to stop; not there before the first and after the last."""
    times, xs, zs = (np.array(column) for column in zip(*stops, strict=True))

    def path(t_s: float) -> Pose | None:
        if not times[0] <= t_s <= times[-1]:
            return None
        return Pose(float(np.interp(t_s, times, xs)), float(np.interp(t_s, times, zs)), yaw_rad)

    return path


def drive(x_m: float, start_s: float, from_m: float, to_m: float, mph: float) -> Path:
    """Straight on at one speed, towards the camera or away from it."""
    takes_s = abs(from_m - to_m) / (mph * MPS_A_MPH)
    return through((start_s, x_m, from_m), (start_s + takes_s, x_m, to_m))


def during(x_m: float, z_m: float, spans: Sequence[tuple[float, float]]) -> Path:
    """Standing at one place in some spans of time, away in the others."""

    def path(t_s: float) -> Pose | None:
        return Pose(x_m, z_m) if any(begin <= t_s < end for begin, end in spans) else None

    return path
