"""Turns a scene's plates into the maps that the network is trained to draw."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.training.detector.net import STRIDE_PX
from models.training.detector.scenes import Scene

Map = NDArray[np.float32]
SPREAD = 0.12  # of a plate's side: one standard deviation of its peak
LEAST_SPREAD_CELLS = 0.6
BOX_FROM = 0.5  # cells with at least this much heat learn the box


@dataclass(frozen=True, slots=True)
class Targets:
    """Maps over cells, each C x H/8 x W/8.

    heat 0..1, exactly 1 at the centre cells; mask 0 where heat counts neither way; weight of the
    box; box and corners in cells as PlateNet gives them; known 1 where the corners are.
    """

    heat: Map
    mask: Map
    weight: Map
    box: Map
    corners: Map
    known: Map


def draw(scene: Scene) -> Targets:
    """The targets of one scene; of overlapping plates the hotter owns a cell."""
    rows, columns = scene.image.shape[0] // STRIDE_PX, scene.image.shape[1] // STRIDE_PX
    heat, mask = np.zeros((1, rows, columns), np.float32), np.ones((1, rows, columns), np.float32)
    weight, known = np.zeros_like(heat), np.zeros_like(heat)
    box, corners = np.ones((4, rows, columns), np.float32), np.zeros((8, rows, columns), np.float32)
    cell_x = (np.arange(columns, dtype=np.float32) + 0.5)[None, :]
    cell_y = (np.arange(rows, dtype=np.float32) + 0.5)[:, None]
    for hull in scene.ignored:
        x0, y0 = np.floor(hull[:2] / STRIDE_PX).astype(int)
        x1, y1 = np.ceil(hull[2:] / STRIDE_PX).astype(int)
        mask[0, max(0, y0) : y1, max(0, x0) : x1] = 0
    for hull, points, _rows in scene.plates:
        left, top, right, bottom = hull / STRIDE_PX
        middle_x, middle_y = (left + right) / 2, (top + bottom) / 2
        column, row = min(int(middle_x), columns - 1), min(int(middle_y), rows - 1)
        spread_x = max(LEAST_SPREAD_CELLS, SPREAD * (right - left))
        spread_y = max(LEAST_SPREAD_CELLS, SPREAD * (bottom - top))
        peak = np.exp(
            -(((cell_x - column - 0.5) / spread_x) ** 2 + ((cell_y - row - 0.5) / spread_y) ** 2)
            / 2
        )
        sides = np.stack(
            np.broadcast_arrays(cell_x - left, cell_y - top, right - cell_x, bottom - cell_y)
        )
        owned = (peak >= BOX_FROM) & (peak > weight[0]) & (sides.min(axis=0) > 0.05)
        np.maximum(heat[0], peak, out=heat[0])
        mask[0][owned] = 1
        weight[0][owned] = peak[owned]
        box[:, owned] = sides[:, owned]
        known[0][owned] = float(np.isfinite(points).all())
        if np.isfinite(points).all():
            scaled = points / STRIDE_PX
            for corner in range(4):
                corners[2 * corner][owned] = np.broadcast_to(
                    scaled[corner, 0] - cell_x, (rows, columns)
                )[owned]
                corners[2 * corner + 1][owned] = np.broadcast_to(
                    scaled[corner, 1] - cell_y, (rows, columns)
                )[owned]
    return Targets(heat, mask, weight, box, corners, known)
