"""A pinhole camera over a road: from metres to pixels.

The road's x runs right, y up, z away from the camera, in metres; the origin lies on the ground
below the camera.
"""

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np
from numpy.typing import NDArray

PLATE_HEIGHT_M = 0.65
BASE_WIDTH_PX = 1280

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Lens:
    """`focal_px`: at a frame 1280 px wide. `aim_m`: how far away a plate lies in the middle."""

    focal_px: float
    height_m: float
    aim_m: float
    width_px: int = BASE_WIDTH_PX

    @property
    def height_px(self) -> int:
        return self.width_px * 9 // 16

    @property
    def scale(self) -> float:
        """Of this frame, to one of 1280 px."""
        return self.width_px / BASE_WIDTH_PX

    def project(self, points: Points) -> Points:
        """N×3 metres to N×2 px. What lies behind the camera must not be asked for."""
        pitch = atan2(self.height_m - PLATE_HEIGHT_M, self.aim_m)
        x, down, z = points[:, 0], self.height_m - points[:, 1], points[:, 2]
        depth = z * cos(pitch) + down * sin(pitch)
        below = down * cos(pitch) - z * sin(pitch)
        focal = self.focal_px * self.scale
        middle = np.array([self.width_px / 2, self.height_px / 2])
        return middle + focal * np.stack([x, below], 1) / depth[:, None]

    def half_width_m(self, z_m: float) -> float:
        """How far to each side the frame shows plates at that distance."""
        right = self.project(np.array([[0.0, PLATE_HEIGHT_M, z_m], [1.0, PLATE_HEIGHT_M, z_m]]))
        return self.width_px / 2 / float(right[1, 0] - right[0, 0])


# A motorway's gantry: one lane, far away. A street's pole: two lanes. A queue: three lanes, from
# above. A gate: one place, close, in a small frame.
FAR = Lens(5500.0, 3.0, 20.0)
STREET = Lens(3600.0, 4.5, 13.0)
WIDE = Lens(2600.0, 5.5, 10.0)
GATE = Lens(5200.0, 2.2, 9.0, 640)
