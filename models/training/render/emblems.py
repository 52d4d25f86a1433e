"""Draws what stands between two groups of characters and must not be read: dashes, dots, seals,
stickers, and figures as high as the text.
"""

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render.canvas import Picture, tone
from models.training.render.furniture import any_tone, illustration, write
from models.training.render.syntax import choose, tables

Value = NDArray[np.float32]
Box = tuple[float, float, float, float]
AS_HIGH_AS_TEXT = ("picture", "figure")
STAR, HEART, TREE = (
    np.array(points, np.float32)
    for points in (
        [
            [np.sin(turn) * reach, -np.cos(turn) * reach]
            for turn, reach in zip(np.arange(10) * np.pi / 5, (1.0, 0.42) * 5, strict=True)
        ],
        [
            [0, 1],
            [-1, -0.1],
            [-0.9, -0.7],
            [-0.45, -0.95],
            [0, -0.55],
            [0.45, -0.95],
            [0.9, -0.7],
            [1, -0.1],
        ],
        [[0, -1], [0.75, 0.55], [0.15, 0.5], [0.15, 1], [-0.15, 1], [-0.15, 0.5], [-0.75, 0.55]],
    )
)


def emblem(picture: Picture, rng: Generator, kind: str, box: Box, ink: Value) -> None:
    """What stands between two groups of characters; `box`: x, y, width, height px of the gap."""
    if kind in DRAWN:
        DRAWN[kind](picture, rng, box, ink)


def middle(rng: Generator, box: Box) -> tuple[int, int]:
    """About the gap's."""
    x, y, width, height = box
    return int(x + width / 2), int(y + height * rng.uniform(0.42, 0.58))


def dash(picture: Picture, rng: Generator, box: Box, ink: Value) -> None:
    """A hyphen."""
    reach = max(1, int(box[2] * rng.uniform(0.25, 0.42)))
    bar(picture, middle(rng, box), reach, max(1, int(box[3] * rng.uniform(0.035, 0.07))), ink)


def dot(picture: Picture, rng: Generator, box: Box, ink: Value) -> None:
    """A point, round or square."""
    half = max(1, round(box[3] * rng.uniform(0.05, 0.085)))
    if rng.random() < 0.5:
        bar(picture, middle(rng, box), half, half, ink)
    else:
        cv2.circle(picture, middle(rng, box), half, tone(ink), -1, cv2.LINE_AA)


def seals(picture: Picture, rng: Generator, box: Box, _ink: Value) -> None:
    """One round seal, or two one above the other."""
    _, y, width, height = box
    radius = max(2, int(min(width * 0.42, height * 0.19)))
    for part in (0.27, 0.73) if rng.random() < 0.7 else (rng.uniform(0.3, 0.7),):
        spot = (middle(rng, box)[0], int(y + height * part))
        value = tone(any_tone(rng, picture.shape[2], 0.15, 0.85))
        cv2.circle(picture, spot, radius, value, -1, cv2.LINE_AA)


def silhouette(picture: Picture, rng: Generator, box: Box, ink: Value) -> None:
    """A horse, a peach: as high as the characters."""
    x, _, width, _ = box
    illustration(picture, rng, x + width * 0.06, width * 0.88, ink if rng.random() < 0.6 else None)


def blob(picture: Picture, rng: Generator, box: Box, _ink: Value) -> None:
    """A crest, seen from afar."""
    centre, channels = middle(rng, box), picture.shape[2]
    axes = (
        max(2, int(box[2] * rng.uniform(0.25, 0.5))),
        max(2, int(box[3] * rng.uniform(0.15, 0.42))),
    )
    value = tone(any_tone(rng, channels, 0.15, 0.85))
    cv2.ellipse(picture, centre, axes, 0, 0, 360, value, -1, cv2.LINE_AA)
    if rng.random() < 0.5:
        axes = (max(1, axes[0] // 2), max(1, axes[1] // 2))
        value = tone(any_tone(rng, channels))
        cv2.ellipse(picture, centre, axes, 0, 0, 360, value, -1, cv2.LINE_AA)


def figure(picture: Picture, rng: Generator, box: Box, ink: Value) -> None:
    """A star, heart, tree, ring, cross or outline of a state in one colour, mostly the ink's.

    Some are as high and as wide as a character.
    """
    x, y, width, height = box
    centre, reach = (x + width / 2, y + height / 2), (width * 0.44, height * 0.48)
    value = tone(ink if rng.random() < 0.7 else any_tone(rng, picture.shape[2]))
    size = np.array(reach) * rng.uniform(0.45, 1.0)
    if rng.random() < 0.6:
        size[:] = size.min()
    line = -1 if rng.random() < 0.6 else max(1, round(float(size.min()) * 0.2))
    kind = int(rng.integers(6))
    spot = round(centre[0]), round(centre[1])
    axes = max(2, round(float(size[0]))), max(2, round(float(size[1])))
    if kind == 3:
        cv2.ellipse(picture, spot, axes, 0, 0, 360, value, max(1, line), cv2.LINE_AA)
        if rng.random() < 0.5:
            inner = max(1, axes[0] // 2), max(1, axes[1] // 2)
            cv2.ellipse(picture, spot, inner, 0, 0, 360, value, -1, cv2.LINE_AA)
        return
    if kind == 4:  # a cross, as chemists, clergy and ambulances have it
        half = max(1, axes[0] // 3)
        bar(picture, spot, axes[0], half, np.asarray(value, np.float32))
        bar(picture, spot, half, axes[1], np.asarray(value, np.float32))
        return
    if kind == 5:
        turns = np.sort(rng.uniform(0, 2 * np.pi, int(rng.integers(5, 10))))
        points = np.column_stack([np.cos(turns), np.sin(turns)]) * rng.uniform(
            0.5, 1.0, (len(turns), 1)
        )
    else:
        points = (STAR, HEART, TREE)[kind]
    outline = np.round((points * size + centre) * 16).astype(np.int32)
    if line < 0:
        cv2.fillPoly(picture, [outline], value, cv2.LINE_AA, 4)
    else:
        cv2.polylines(picture, [outline], True, value, line, cv2.LINE_AA, 4)


def bar(picture: Picture, centre: tuple[int, int], reach: int, half: int, ink: Value) -> None:
    """A filled box, so far to each side of its centre, and so far up and down."""
    corners = (centre[0] - reach, centre[1] - half), (centre[0] + reach, centre[1] + half)
    cv2.rectangle(picture, *corners, tone(ink), -1)


def year_sticker(picture: Picture, rng: Generator, box: Box, _ink: Value) -> None:
    """A sticker between two groups of characters."""
    channels, centre, room = picture.shape[2], middle(rng, box), box[2:]
    w, h = room[0] * rng.uniform(0.6, 0.98), room[1] * rng.uniform(0.3, 0.62)
    left, top = centre[0] - w / 2, centre[1] - h / 2
    cv2.rectangle(
        picture,
        (int(left), int(top)),
        (int(left + w), int(top + h)),
        tone(any_tone(rng, channels, 0.2, 0.95)),
        -1,
    )
    if rng.random() < 0.7:
        write(
            picture,
            rng,
            str(int(rng.integers(8, 30))),
            (left + w * 0.15, top + h * 0.2, w * 0.7, h * 0.6),
            any_tone(rng, channels, 0, 0.6),
        )


def emblem_kind(rng: Generator, region: str) -> str:
    """What this plate has between its groups."""
    shares = tables()[region]["emblems"]
    return choose(rng, list(shares), tuple(shares.values()))


DRAWN = {
    "dash": dash,
    "dot": dot,
    "seals": seals,
    "sticker": year_sticker,
    "picture": silhouette,
    "figure": figure,
    "blob": blob,
    "crest": blob,
}
