"""Draws a contact sheet of the renderer: plates of each region, two rows, light on dark, stacked
characters, cut off, posed in the frame; then as the recogniser sees them, then signs.

python -m models.training.render.sheet sheet.png [--seed 1]
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.detector.signs import fonts as sign_fonts
from models.training.detector.signs import render_sign
from models.training.fonts import tell
from models.training.recognizer.samples import PooledPlate, corners, cut_off, draw, seen
from models.training.render.plates import draw_plate, render_plate
from models.training.render.roadside import draw_shot, posed
from models.training.render.syntax import REGIONS, font_names

COLUMNS = 8
TILE_WIDTH_PX, TILE_HEIGHT_PX = 176, 72
PAPER = 225

Tile = NDArray[np.uint8]


def tile(picture: Tile) -> Tile:
    """A picture fitted into one tile without distortion."""
    if picture.ndim == 2:
        picture = cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    if picture.shape[2] == 4:  # ink on nothing
        share = picture[:, :, 3:].astype(np.float32) / 255
        picture = (picture[:, :, :3] * share + PAPER * (1 - share)).astype(np.uint8)
    scale = min((TILE_WIDTH_PX - 6) / picture.shape[1], (TILE_HEIGHT_PX - 6) / picture.shape[0])
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    out = np.full((TILE_HEIGHT_PX, TILE_WIDTH_PX, 3), PAPER, np.uint8)
    top, left = (TILE_HEIGHT_PX - small.shape[0]) // 2, (TILE_WIDTH_PX - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def drawn_one_row(rng: Generator) -> PooledPlate:
    """A plate whose characters' places are known."""
    while not (plate := draw(rng)).spans:
        pass
    return plate


def in_frame(rng: Generator) -> Tile:
    """A posed plate as it lies in the frame, before it is pulled straight."""
    picture = draw_plate(rng, channels=1).picture[:, :, 0]
    quad = corners(picture.shape[1], picture.shape[0])
    return posed(rng, np.clip(picture, 0, 1), quad, draw_shot(rng, 1.0), 0.7, surrounded=False)[0]


def rows(rng: Generator) -> list[list[Tile]]:
    """The sheet, row by row."""
    sheet = []
    for region in REGIONS:
        sheet += [
            [tile(render_plate(rng, region=region).image) for _ in range(COLUMNS)] for _ in range(2)
        ]
    sheet.append([tile(render_plate(rng, rows=2).image) for _ in range(COLUMNS)])
    for wished in ({"light_on_dark": True}, {"stacked": True, "region": "us"}):
        sheet.append([tile(render_plate(rng, **wished).image) for _ in range(COLUMNS)])
    sheet.append([tile(cut_off(rng, drawn_one_row(rng)).picture) for _ in range(COLUMNS)])
    sheet += [[tile(in_frame(rng)) for _ in range(COLUMNS)] for _ in range(2)]
    sheet += [
        [tile(seen(rng, draw(rng), hardness)) for _ in range(COLUMNS)]
        for hardness in (0.05, 0.4, 0.7, 1.0, 1.0)
    ]
    files = sign_fonts()
    sheet += [[tile(render_sign(rng, files)) for _ in range(COLUMNS)] for _ in range(2)]
    return sheet


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n\n")[0])
    parser.add_argument("to", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    tell(font_names())
    picture = np.vstack([np.hstack(row) for row in rows(np.random.default_rng(given.seed))])
    if not cv2.imwrite(str(given.to), picture):
        parser.error(f"{given.to}: not written; name a .png or .jpg in a folder that exists")
    print(f"{given.to}: {picture.shape[1]}×{picture.shape[0]} px")


if __name__ == "__main__":
    main()
