"""Draws one licence plate, upright and tight to its edge, with the text that it carries.

Texts, proportions and colours come from tables.toml; the same generator state gives the same plate.
Texts are drawn by chance within the formats; that one exists somewhere is possible, and it is
nobody's data.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render import furniture
from models.training.render.canvas import Picture, colour_of, tone
from models.training.render.lettering import Span, characters
from models.training.render.syntax import (
    REGIONS,
    Draft,
    choose,
    draw_region,
    draw_stacked,
    draw_text,
    spaced_out,
    tables,
)

BOLT_SPOTS = (
    (0.12, 0.1),
    (0.88, 0.1),
    (0.3, 0.07),
    (0.7, 0.07),
    (0.12, 0.91),
    (0.88, 0.91),
    (0.3, 0.92),
    (0.7, 0.92),
    (0.04, 0.5),
    (0.96, 0.5),
)


SHORT = 3  # characters of an upper row, at most, that leave room for a crest


@dataclass(frozen=True, slots=True)
class RenderedPlate:
    """`image`: H×W×3, BGR, uint8, the whole plate and nothing else.

    `text`: A–Z and 0–9. `region`: one of REGIONS. `rows`: 1 or 2.
    """

    image: NDArray[np.uint8]
    text: str
    region: str
    rows: int = 1


@dataclass(frozen=True, slots=True)
class DrawnPlate:
    """As RenderedPlate, before rounding: `picture` H×W×C, 0–1, C = 3 (BGR) or 1 (luminance).

    `spans`: left and right edge of each character, px; none of two rows.
    """

    picture: Picture
    text: str
    region: str
    rows: int = 1
    spans: tuple[Span, ...] = ()


def render_plate(
    rng: Generator,
    text: str | None = None,
    region: str | None = None,
    *,
    rows: int = 1,
    light_on_dark: bool | None = None,
    stacked: bool | None = None,
) -> RenderedPlate:
    """A plate in colour, about 200–420 px wide (two rows: 110–190).

    `text`: drawn from the region's formats when not given. Polarity and stacked characters: by the
    tables' shares when not given.
    """
    drawn = draw_plate(rng, text, region, rows=rows, light_on_dark=light_on_dark, stacked=stacked)
    return RenderedPlate(
        np.clip(drawn.picture * 255, 0, 255).astype(np.uint8), drawn.text, drawn.region, drawn.rows
    )


def draw_plate(
    rng: Generator,
    text: str | None = None,
    region: str | None = None,
    channels: int = 3,
    *,
    rows: int = 1,
    light_on_dark: bool | None = None,
    stacked: bool | None = None,
    tall: bool = False,
    slashed: float | None = None,
    marked: float | None = None,
) -> DrawnPlate:
    """A plate as floats; one channel is about twice as fast. `tall`: three stacked characters;
    `slashed`, `marked`: as glyphs.altered, for plates of one row.
    """
    region = region or draw_region(rng)
    if region not in REGIONS:
        message = f"unknown region {region!r}: choose one of {', '.join(REGIONS)}"
        raise ValueError(message)
    if light_on_dark is None:
        light_on_dark = rng.random() < tables()["polarity"]["light_on_dark"]
    if stacked is None:
        stacked = rng.random() < tables()["stacked"]["share"][region]
    if text is not None:
        draft = spaced_out(rng, text)
    else:
        draft = draw_stacked(rng, tall=tall) if stacked and rows == 1 else draw_text(rng, region)
    if rows == 2 and len(draft.text) > 2:
        return two_rows(rng, region, draft, channels, light_on_dark=light_on_dark)
    table = tables()[region]
    picture, ink = ground(rng, region, channels, table["aspect"], light_on_dark=light_on_dark)
    table = table | {"slashed": slashed, "marked": marked}
    left, right = bands(picture, rng, table, ink)
    if rng.random() < table["picture"]:
        furniture.scenery(picture[:, int(left) : int(right)], rng)
        np.clip(picture, 0, 1, out=picture)
    small_print(picture, rng, region, ink)
    furniture.bolts(picture, rng, BOLT_SPOTS, 0.22)
    if table["stickers"] and rng.random() < 0.8:
        furniture.stickers(picture, rng, table["stickers"])
    spans = characters(picture, rng, region, draft, (left, right), ink, table)
    border(picture, rng, ink)
    if rng.random() < table["frame"]:
        furniture.holder(picture, rng, "us" if region == "us" else "eu")
    return DrawnPlate(picture, draft.text, region, spans=tuple(spans))


def two_rows(
    rng: Generator, region: str, draft: Draft, channels: int, *, light_on_dark: bool
) -> DrawnPlate:
    """A motorcycle's or a square plate: the text's groups in two rows, each drawn as a low plate of
    its own, one ground under both.
    """
    picture, ink = ground(
        rng, region, channels, tables()["two_rows"]["aspect"], light_on_dark=light_on_dark
    )
    height, width = picture.shape[:2]
    head = (
        int(height * rng.uniform(0.12, 0.2)) if region in ("br", "us") and rng.random() < 0.8 else 0
    )
    if head:
        furniture.line_of_print(
            picture,
            rng,
            "br" if region == "br" else "us",
            head * 0.55,
            head * rng.uniform(0.5, 0.8),
            ink,
        )
    left = 0.0
    table = tables()[region] | tables()["two_rows"]["rows"]
    if rng.random() < 0.4 * table["band_left"]:
        left = width * rng.uniform(0.1, 0.17)
        furniture.country_band(picture[: height // 2], rng, left, right=False)
    middle = head + (height - head) * rng.uniform(0.48, 0.52)
    upper, lower = split_rows(rng, draft)
    right = float(width)
    upper_row, lower_row = picture[int(head) : int(middle)], picture[int(middle) :]
    if len(upper.text) <= SHORT and rng.random() < tables()["two_rows"]["beside"]:
        left, right = beside(rng, upper_row, left, ink)
    characters(upper_row, rng, region, upper, (left, right), ink, table)
    characters(lower_row, rng, region, lower, (0.0, float(width)), ink, table)
    furniture.bolts(picture, rng, BOLT_SPOTS, 0.12)
    border(picture, rng, ink)
    if rng.random() < 0.2:
        furniture.holder(picture, rng, "eu")
    return DrawnPlate(picture, draft.text, region, 2)


def beside(
    rng: Generator, row: Picture, left: float, ink: NDArray[np.float32]
) -> tuple[float, float]:
    """A crest or a picture on one side of a short upper row, or on both; the limits that are left
    for its text, px.
    """
    width = row.shape[1]
    right = float(width)
    sides = rng.random()
    if sides < 0.65:
        wide = width * rng.uniform(0.18, 0.34)
        furniture.illustration(row, rng, left + width * 0.02, wide * 0.9)
        left += wide
    if sides > 0.45:
        wide = width * rng.uniform(0.18, 0.34)
        right -= wide
        colour = ink if rng.random() < 0.5 else None
        furniture.illustration(row, rng, right, wide * 0.9, colour)
    return left, right


def split_rows(rng: Generator, draft: Draft) -> tuple[Draft, Draft]:
    """The text cut at a separator if it has one, else after its first letters or in the middle.

    Some upper rows have one to three characters, wherever the text would be cut.
    """
    spaced = draft.spaced
    if rng.random() < tables()["two_rows"]["short_upper"]:
        text = draft.text
        cut = int(rng.integers(1, min(SHORT, len(text) - 1) + 1))
        return Draft(text[:cut]), Draft(text[cut:])
    cuts = [i for i, place in enumerate(spaced) if place == "-" and 0 < i < len(spaced) - 1]
    if cuts:
        cut = cuts[int(rng.integers(len(cuts)))]
        return Draft(spaced[:cut]), Draft(spaced[cut + 1 :])
    changes = [i for i in range(1, len(spaced)) if spaced[i].isdigit() != spaced[i - 1].isdigit()]
    cut = changes[0] if changes else len(spaced) // 2
    return Draft(spaced[:cut]), Draft(spaced[cut:])


def ground(
    rng: Generator, region: str, channels: int, aspects: list[float], *, light_on_dark: bool
) -> tuple[Picture, NDArray[np.float32]]:
    """An empty plate and the ink's colour; `aspects`: least and largest width over height."""
    table = tables()[region]
    height = table["height_px"] if aspects is table["aspect"] else tables()["two_rows"]["height_px"]
    aspect = rng.uniform(*aspects)
    plate, ink = colours(rng, region, channels, light_on_dark=light_on_dark)
    value = np.clip(plate * rng.uniform(0.8, 1.05), 0, 1)
    faded = ink + rng.uniform(0, 0.25) * (value - ink)
    return np.tile(value, (height, round(height * aspect), 1)).astype(np.float32), faded.astype(
        np.float32
    )


def colours(
    rng: Generator, region: str, channels: int, *, light_on_dark: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Of the ground and of the ink; the region's own, or any dark one under light ink."""
    if light_on_dark and rng.random() < tables()["polarity"]["invented"]:
        dark = furniture.any_tone(rng, channels, 0.02, 0.42)
        return dark, furniture.any_tone(rng, channels, 0.72, 1.0)
    grounds = [
        entry
        for entry in tables()[region]["grounds"]
        if bool(colour_of(entry[2], 1) > colour_of(entry[1], 1)) == light_on_dark
    ]
    _, plate, ink = choose(rng, grounds, tuple(entry[0] for entry in grounds))
    return colour_of(plate, channels), colour_of(ink, channels)


def bands(
    picture: Picture, rng: Generator, table: dict, ink: NDArray[np.float32]
) -> tuple[float, float]:
    """Country bands; returns the left and right limits of the ground between them, px."""
    height, width = picture.shape[:2]
    left, right = 0.0, float(width)
    if rng.random() < table["band_left"]:
        left = height * rng.uniform(0.33, 0.48)
        furniture.country_band(picture, rng, left, right=False)
    elif rng.random() < table.get("crest_left", 0.0):
        left = height * rng.uniform(0.36, 0.5)
        furniture.crest_strip(picture, rng, left)
    elif rng.random() < table.get("symbol_left", 0.0):
        left = height * rng.uniform(0.22, 0.34)
        furniture.symbol(picture, rng, height * 0.08, left - height * 0.08, ink)
    if left == 0.0 and rng.random() < table.get("picture_left", 0.0):
        left = width * rng.uniform(0.16, 0.3)
        reach = rng.uniform(-0.03, 0.09)  # some end under the first character
        furniture.illustration(picture, rng, width * 0.02, left + width * reach)
    if rng.random() < table.get("symbol_right", 0.0):
        band = height * rng.uniform(0.2, 0.32)
        right = width - band
        furniture.symbol(picture, rng, right, band * 0.85, ink)
    if rng.random() < table.get("uprights", 0.0):
        wide = height * rng.uniform(0.08, 0.3)
        if rng.random() < 0.5 and left == 0.0:
            left = wide
            furniture.uprights(picture, rng, height * 0.03, wide * 0.7, ink)
        elif right == width:
            right = width - wide
            furniture.uprights(picture, rng, right + wide * 0.27, wide * 0.7, ink)
    if rng.random() < table.get("band_right", 0.0):
        band = height * rng.uniform(0.33, 0.45)
        right = width - band
        furniture.country_band(picture, rng, band, right=True)
    return left, right


def small_print(picture: Picture, rng: Generator, region: str, ink: NDArray[np.float32]) -> None:
    """State or city names above, slogans below."""
    table = tables()[region]
    height, _, channels = picture.shape
    value = ink if rng.random() < 0.6 else furniture.any_tone(rng, channels, 0, 0.6)
    if rng.random() < table["words_top"]:
        size = height * (rng.uniform(0.09, 0.18) if region == "us" else rng.uniform(0.1, 0.17))
        if region == "br" and rng.random() < 0.15:  # the blue head of the Mercosul plate
            picture[: int(height * 0.25)] = colour_of("#1a3d94", channels) * rng.uniform(0.6, 1.4)
            value = np.full(channels, 0.95, np.float32)
        furniture.line_of_print(
            picture,
            rng,
            "br" if region == "br" else "us",
            height * rng.uniform(0.1, 0.17),
            size,
            value,
        )
    if rng.random() < table["words_bottom"]:
        furniture.line_of_print(
            picture,
            rng,
            "us",
            height * rng.uniform(0.86, 0.93),
            height * rng.uniform(0.05, 0.12),
            value,
        )
    if region == "br" and rng.random() < 0.6:  # the seal's red plug
        spot = (
            int(picture.shape[1] * rng.uniform(0.12, 0.24)),
            int(height * rng.uniform(0.14, 0.26)),
        )
        cv2.circle(
            picture,
            spot,
            int(height * rng.uniform(0.03, 0.06)),
            tone(furniture.any_tone(rng, channels, 0.1, 0.6)),
            -1,
            cv2.LINE_AA,
        )


def border(picture: Picture, rng: Generator, ink: NDArray[np.float32]) -> None:
    """A painted or embossed edge, and the rounded corners' dirt."""
    height, width, channels = picture.shape
    if rng.random() < 0.6:
        value = ink if rng.random() < 0.5 else furniture.any_tone(rng, channels)
        inset = int(rng.integers(0, 4))
        cv2.rectangle(
            picture,
            (inset, inset),
            (width - 1 - inset, height - 1 - inset),
            tone(value),
            int(rng.integers(1, 3)),
            cv2.LINE_AA,
        )
