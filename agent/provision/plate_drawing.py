"""Draws the rehearsal's plate in millimetres: 480 × 110, characters of 75, as strokes of our own.

No font is used, so none needs a licence.
"""

from __future__ import annotations

from agent.values import dataclass

# As high as a European plate, and as long as nine of its characters need.
WIDTH_MM, HEIGHT_MM = 480.0, 110.0
CHARACTER_MM, CHARACTER_WIDTH_MM, STROKE_MM, PITCH_MM = 75.0, 41.0, 10.0, 50.0
SEAM_MM = 215.0  # between the fourth and the fifth character; either part fits on a sheet
_RADIUS_MM, _BORDER_MM = 15.0, 2.5
_WIDER = {"M": 1.05, "W": 1.08}
_CORNER_STEPS = 8

Point = tuple[float, float]

# Polylines on a grid 8 wide × 12 high, y down; "r": corners rounded, "s": sharp. The characters of
# core.hotlist.rehearsal, and no others.
_STROKES = {
    "3": ("r 0,2.8 0,0 7.8,0 7.8,5.8 3,5.8", "r 3,5.8 8,5.8 8,12 0,12 0,9.2"),
    "4": ("s 6,12 6,0 0,8.6 8,8.6",),
    "7": ("s 0,0 8,0 2.6,12",),
    "9": ("r 0,9 0,12 8,12 8,0 0,0 0,6.6 8,6.6 8,5",),
    "A": ("s 0,12 4,0 8,12", "s 1.3,8.2 6.7,8.2"),
    "C": ("r 8,3.6 8,0 0,0 0,12 8,12 8,8.4",),
    "E": ("s 8,0 0,0 0,12 8,12", "s 0,5.8 6.6,5.8"),
    "F": ("s 8,0 0,0 0,12", "s 0,5.9 6.6,5.9"),
    "H": ("s 0,0 0,12", "s 8,0 8,12", "s 0,6 8,6"),
    "J": ("r 7.5,0 7.5,12 0,12 0,8.4",),
    "K": ("s 0,0 0,12", "s 8,0 0,7.6", "s 2.9,5 8,12"),
    "M": ("s 0,12 0,0 4,5 8,0 8,12",),
    "N": ("s 0,12 0,0 8,12 8,0",),
    "P": ("s 0,12 0,0", "r 0,0 8,0 8,6.6 0,6.6"),
    "R": ("s 0,12 0,0", "r 0,0 8,0 8,6.4 0,6.4", "s 4,6.4 8,12"),
    "S": ("r 8,3 8,0 0,0 0,5.9 8,5.9 8,12 0,12 0,9",),
    "T": ("s 0,0 8,0", "s 4,0 4,12"),
    "U": ("r 0,0 0,12 8,12 8,0",),
    "V": ("s 0,0 4,12 8,0",),
    "W": ("s 0,0 0,12 4,6.5 8,12 8,0",),
    "X": ("s 0,0 8,12", "s 8,0 0,12"),
    "Y": ("s 0,0 4,6 8,0", "s 4,6 4,12"),
}


@dataclass(frozen=True, slots=True)
class Stroke:
    """A black line with round ends and joins.

    `points`: x, y in mm from the plate's top left, y down.
    """

    points: tuple[Point, ...]
    width_mm: float


def plate_strokes(text: str) -> tuple[Stroke, ...]:
    """The plate's border and characters."""
    inset = _BORDER_MM * 2
    right, bottom = WIDTH_MM - inset, HEIGHT_MM - inset
    strokes = [
        Stroke(
            ((inset, inset), (right, inset), (right, bottom), (inset, bottom), (inset, inset)),
            _BORDER_MM,
        )
    ]
    left = (WIDTH_MM - PITCH_MM * len(text)) / 2
    for position, character in enumerate(text):
        strokes += _character(character, left + PITCH_MM * (position + 0.5))
    return tuple(strokes)


def _character(character: str, centre_mm: float) -> list[Stroke]:
    width = CHARACTER_WIDTH_MM * _WIDER.get(character, 1.0)
    left, top = centre_mm - width / 2 + STROKE_MM / 2, (HEIGHT_MM - CHARACTER_MM + STROKE_MM) / 2
    across, down = (width - STROKE_MM) / 8, (CHARACTER_MM - STROKE_MM) / 12
    drawn = []
    for spelt in _STROKES[character]:
        kind, *pairs = spelt.split()
        grid = [tuple(map(float, pair.split(","))) for pair in pairs]
        points = [(left + x * across, top + y * down) for x, y in grid]
        drawn.append(Stroke(tuple(_rounded(points) if kind == "r" else points), STROKE_MM))
    return drawn


def _rounded(points: list[Point]) -> list[Point]:
    """Corners become short quadratic curves."""
    out = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        first, last = _towards(corner, before), _towards(corner, after)
        for step in range(_CORNER_STEPS + 1):
            t = step / _CORNER_STEPS
            x, y = (
                (1 - t) ** 2 * a + 2 * t * (1 - t) * b + t**2 * c
                for a, b, c in zip(first, corner, last, strict=True)
            )
            out.append((x, y))
    return [*out, points[-1]]


def _towards(corner: Point, other: Point) -> Point:
    length = ((other[0] - corner[0]) ** 2 + (other[1] - corner[1]) ** 2) ** 0.5
    share = min(0.5, _RADIUS_MM / length)
    return corner[0] + (other[0] - corner[0]) * share, corner[1] + (other[1] - corner[1]) * share
