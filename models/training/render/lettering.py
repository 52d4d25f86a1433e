"""Sets a plate's text between its limits: characters in their cells, small ones stacked, emblems in
the gaps.
"""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render import emblems
from models.training.render.canvas import Picture, put
from models.training.render.glyphs import NARROW, Face, altered, breadth, draw_face
from models.training.render.syntax import Draft, tables

Ink = NDArray[np.float32]
Span = tuple[float, float]  # left and right edge of one character, px
OWN_FACE = 0.3  # of the stacks: cut from other dies than the large characters


def characters(
    picture: Picture,
    rng: Generator,
    region: str,
    draft: Draft,
    limits: tuple[float, float],
    ink: Ink,
    table: dict,
) -> list[Span]:
    """The text itself, between `limits` (px), with its emblems; `table`: its proportions.

    Returns where each character of the text stands.
    """
    height = picture.shape[0]
    tall = max(8, round(height * rng.uniform(*table["text_height"])))
    top = height * rng.uniform(*table["text_centre_y"]) - tall / 2
    face = draw_face(rng, table["fonts"], table["strokes"])
    face = altered(rng, face, region, table.get("slashed"), table.get("marked"))
    kind = emblems.emblem_kind(rng, region)
    separator = rng.uniform(*table["separator"]) + (
        rng.uniform(0.2, 0.7) if kind in emblems.AS_HIGH_AS_TEXT else 0.0
    )
    places = draft.places
    widths = advances(rng, table, face, places, tall, separator)
    margin = height * rng.uniform(*table["side_margin"])
    room = limits[1] - limits[0] - 2 * margin
    total = sum(widths)
    stretch = (
        room / total
        if total > room or (rng.random() < table["text_fill"] and total > 0.55 * room)
        else 1.0
    )
    if stretch < 0.7:  # too long for its height: lower characters, as issuers do
        tall, top = max(8, round(tall * 0.85)), top + tall * 0.07
    gap = tall * rng.uniform(*table["char_gap"]) * 0.5 * stretch
    share = 0.5 if rng.random() < 0.85 else rng.random()
    x = limits[0] + margin + (room - total * stretch) * share
    relief = rng.uniform(-0.25, 0.25) if rng.random() < table["relief"] else 0.0
    spans: list[Span] = []
    for place, width in zip(places, widths, strict=True):
        cell = width * stretch
        at = (x, top, cell, tall, gap)
        if place == "-":
            emblems.emblem(picture, rng, kind, at[:4], ink)
        elif len(place) > 1:
            stack(picture, rng, other_face(rng, face, table), place, at, ink)
        else:
            glyph(picture, face, place, at, max(widths) * stretch - gap, ink, relief)
        spans += [(x, x + cell)] * (0 if place == "-" else len(place))
        x += cell
    return spans


def other_face(rng: Generator, face: Face, table: dict) -> Face:
    """The stack's: mostly the plate's own."""
    return draw_face(rng, table["fonts"], table["strokes"]) if rng.random() < OWN_FACE else face


def advances(
    rng: Generator, table: dict, face: Face, places: tuple[str, ...], tall: int, separator: float
) -> list[float]:
    """The width of each place's cell, px; `separator`: its share of the height."""
    proportion = rng.uniform(*table["char_aspect"])
    gap = rng.uniform(*table["char_gap"])
    natural = face.proportion("H") + 1e-6
    equal = rng.random() < table["equal_cells"]
    widths = []
    for place in places:
        if place == "-":
            widths.append(separator * tall)
        elif len(place) > 1:
            widths.append((rng.uniform(*tables()["stacked"]["width"]) + gap) * tall)
        elif equal:
            widths.append((proportion + gap) * tall)
        else:
            widths.append((min(1.6, face.proportion(place) / natural) * proportion + gap) * tall)
    return widths


def stack(
    picture: Picture,
    rng: Generator,
    face: Face,
    place: str,
    cell: tuple[float, float, float, int, float],
    ink: Ink,
) -> None:
    """Small characters one above the other in one cell (x, top, width, height, gap px)."""
    x, top, width, tall, gap = cell
    high = tall * rng.uniform(*tables()["stacked"]["height"])
    start = top + (tall - high) * rng.uniform(0.3, 0.7)
    each = high / len(place)
    size = max(4, round(each * rng.uniform(0.78, 0.95)))
    for row, character in enumerate(place):
        room = max(3.0, width - gap)
        wide = max(2, round(room * breadth(face, character)))
        left = x + (width - wide) / 2
        put(picture, face.mask(character, wide, size), left, start + row * each, ink)


def glyph(
    picture: Picture,
    face: Face,
    character: str,
    cell: tuple[float, float, float, int, float],
    broad: float,
    ink: Ink,
    relief: float,
) -> None:
    """One character centred in its cell (x, top, width, height, gap px); `broad`: width of a broad
    one, px; `relief`: lightness of an embossed edge.
    """
    x, top, width, tall, gap = cell
    room = max(3.0, width - gap)
    # In equal cells a 1 or an I keeps its own slim shape instead of being stretched to the cell.
    wide = (
        max(2, round(min(room, broad * breadth(face, character))))
        if character in NARROW
        else max(3, round(room))
    )
    mask = face.mask(character, wide, tall)
    left = x + (width - wide) / 2
    if relief:
        put(
            picture,
            mask,
            left + 1,
            top + 1,
            np.clip(ink * 0 + (0.5 + 2 * relief), 0, 1).astype(np.float32),
            0.6,
        )
    put(picture, mask, left, top, ink)
