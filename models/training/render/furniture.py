"""Everything on a plate that must not be read: small print, stickers, emblems, bolts, bands,
holders, pictures.
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.render.canvas import Picture, put_scaled, tone
from models.training.render.glyphs import word_mask
from models.training.render.syntax import LETTERS, tables

Value = NDArray[np.float32]


def any_tone(rng: Generator, channels: int, low: float = 0.0, high: float = 1.0) -> Value:
    """A random colour, half the time a grey."""
    if channels == 1 or rng.random() < 0.5:
        return np.full(channels, rng.uniform(low, high), np.float32)
    return rng.uniform(low, high, channels).astype(np.float32)


@cache
def invented_words() -> tuple[str, ...]:
    """Meaningless small print; few enough that their masks stay cached."""
    rng = np.random.default_rng(20)
    return tuple(
        "".join(LETTERS[i] for i in rng.integers(0, 26, int(rng.integers(3, 14))))
        for _ in range(120)
    )


def phrase(rng: Generator, kind: str) -> str:
    """Small print: a listed phrase or random letters."""
    words = tables()["words"][kind]
    if rng.random() < 0.6:
        return words[int(rng.integers(len(words)))]
    invented = invented_words()
    return invented[int(rng.integers(len(invented)))]


def write(
    picture: Picture,
    rng: Generator,
    text: str,
    box: tuple[float, float, float, float],
    value: Value,
) -> None:
    """Small print stretched into `box` (x, y, width, height px)."""
    put_scaled(
        picture, word_mask(int(rng.integers(0, 12)), text), box, value, rng.uniform(0.55, 1.0)
    )


def line_of_print(
    picture: Picture, rng: Generator, kind: str, centre_y: float, height: float, value: Value
) -> None:
    """One centred line of small print; `centre_y` and `height` in px."""
    text = phrase(rng, kind)
    width = min(picture.shape[1] * 0.85, height * len(text) * rng.uniform(0.5, 0.85))
    x = (picture.shape[1] - width) * (0.5 + rng.normal() * 0.08)
    write(picture, rng, text, (x, centre_y - height / 2, width, height), value)


def scenery(picture: Picture, rng: Generator) -> None:
    """A state's background picture: soft blobs and a gradient, in place."""
    height, width, channels = picture.shape
    coarse = rng.uniform(
        -1, 1, (int(rng.integers(2, 5)), int(rng.integers(2, 7)), channels)
    ).astype(np.float32) * rng.uniform(0.03, 0.2)
    coarse += (
        rng.uniform(-0.12, 0.08)
        * np.linspace(-1, 1, coarse.shape[0], dtype=np.float32)[:, None, None]
    )
    picture += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR).reshape(
        picture.shape
    )
    if rng.random() < 0.4:
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(6, width // 3)), int(rng.integers(4, height // 3)))
        value = np.clip(picture[centre[1], centre[0]] + rng.uniform(-0.22, 0.1), 0, 1)
        cv2.ellipse(picture, centre, axes, float(rng.uniform(0, 180)), 0, 360, tone(value), -1)
    if rng.random() < 0.3:  # a coloured strip at the top or bottom
        depth = int(height * rng.uniform(0.08, 0.24))
        top = 0 if rng.random() < 0.5 else height - depth
        picture[top : top + depth] = any_tone(rng, channels, 0.1, 0.9)


def stickers(picture: Picture, rng: Generator, chance: float) -> None:
    """Month and year stickers in the corners."""
    height, width, channels = picture.shape
    for x, y in ((0.1, 0.12), (0.9, 0.12), (0.1, 0.87), (0.9, 0.87)):
        if rng.random() >= chance:
            continue
        w, h = width * rng.uniform(0.06, 0.13), height * rng.uniform(0.1, 0.2)
        left, top = width * x - w / 2 + rng.normal() * 3, height * y - h / 2 + rng.normal() * 2
        if rng.random() < 0.75:
            cv2.rectangle(
                picture,
                (int(left), int(top)),
                (int(left + w), int(top + h)),
                tone(any_tone(rng, channels, 0.1)),
                -1,
            )
        text = str(int(rng.integers(10, 100))) if rng.random() < 0.5 else phrase(rng, "us")[:3]
        write(
            picture,
            rng,
            text,
            (left + w * 0.15, top + h * 0.2, w * 0.7, h * 0.6),
            any_tone(rng, channels),
        )


def country_band(picture: Picture, rng: Generator, width: float, *, right: bool) -> None:
    """The blue strip with stars and a country code; `width` px."""
    height, full, channels = picture.shape
    left = int(full - width) if right else 0
    blue = np.array([0.55, 0.2, 0.02], np.float32) if channels == 3 else np.array([0.2], np.float32)
    picture[:, left : left + int(width)] = blue * rng.uniform(0.4, 1.6)
    white = np.full(channels, rng.uniform(0.6, 1.0), np.float32)
    if not right and rng.random() < 0.8:
        cv2.circle(
            picture,
            (int(left + width / 2), int(height * 0.32)),
            int(width * 0.3),
            tone(white * 0.8),
            1,
            cv2.LINE_AA,
        )
    countries = tables()["words"]["countries"]
    text = countries[int(rng.integers(len(countries)))]
    write(
        picture, rng, text, (left + width * 0.25, height * 0.62, width * 0.5, height * 0.24), white
    )


def crest_strip(picture: Picture, rng: Generator, width: float) -> None:
    """A shield over the country's letters on the plate's own ground, as on Slovak plates of
    1997–2004; `width` px.
    """
    height, _, channels = picture.shape
    middle, top = width * rng.uniform(0.45, 0.6), height * rng.uniform(0.12, 0.22)
    half, deep = width * rng.uniform(0.22, 0.36), height * rng.uniform(0.24, 0.36)
    shield = np.array(
        [[-1, 0], [1, 0], [1, 0.55], [0.6, 0.85], [0, 1], [-0.6, 0.85], [-1, 0.55]]
    ) * [half, deep] + [middle, top]
    cv2.fillPoly(
        picture, [shield.astype(np.int32)], tone(any_tone(rng, channels, 0.15, 0.65)), cv2.LINE_AA
    )
    inner = (shield - shield.mean(0)) * [0.5, rng.uniform(0.3, 0.8)] + shield.mean(0)
    cv2.fillPoly(picture, [inner.astype(np.int32)], tone(any_tone(rng, channels)), cv2.LINE_AA)
    countries = tables()["words"]["countries"]
    write(
        picture,
        rng,
        countries[int(rng.integers(len(countries)))],
        (middle - half, height * 0.64, half * 2, height * 0.22),
        any_tone(rng, channels, 0, 0.35),
    )


def symbol(picture: Picture, rng: Generator, left: float, width: float, ink: Value) -> None:
    """A filled sign beside the text, that is no part of it (disabled drivers', organisations').

    Letters one above the other are no such sign: they belong to the number.
    """
    height, _, channels = picture.shape
    value = ink if rng.random() < 0.5 else any_tone(rng, channels, 0.05, 0.5)
    box = (int(left), int(height * 0.36)), (int(left + width), int(height * 0.68))
    cv2.rectangle(picture, *box, tone(value), -1)
    light = tone(any_tone(rng, channels, 0.6))
    middle = left + width / 2
    radius = max(1, int(min(width, height * 0.32) * rng.uniform(0.2, 0.32)))
    cv2.circle(picture, (int(middle), int(height * 0.56)), radius, light, max(1, radius // 3))
    cv2.line(
        picture,
        (int(middle), int(height * 0.42)),
        (int(middle + rng.uniform(0, 0.3) * width), int(height * 0.56)),
        light,
        max(1, radius // 3),
        cv2.LINE_AA,
    )


def illustration(
    picture: Picture, rng: Generator, left: float, width: float, ink: Value | None = None
) -> None:
    """A special plate's picture beside the text: an animal, a seal, a helmet; here a heap of shapes
    with an outline.

    `ink`: a silhouette of one colour.
    """
    height, _, channels = picture.shape
    middle = np.array([left + width / 2, height * rng.uniform(0.42, 0.6)])
    reach = np.array([width * 0.46, height * rng.uniform(0.2, 0.34)])
    for _ in range(int(rng.integers(3, 9))):
        value = tone(any_tone(rng, channels) if ink is None else ink)
        centre = middle + rng.uniform(-0.55, 0.55, 2) * reach
        kind = rng.random()
        if kind < 0.4:
            axes = np.maximum(1, reach * rng.uniform(0.2, 0.75, 2)).astype(int)
            cv2.ellipse(
                picture,
                tuple(int(v) for v in centre),
                tuple(int(v) for v in axes),
                float(rng.uniform(0, 180)),
                0,
                360,
                value,
                -1,
                cv2.LINE_AA,
            )
        elif kind < 0.75:
            points = centre + rng.uniform(-0.8, 0.8, (int(rng.integers(3, 7)), 2)) * reach
            cv2.fillPoly(picture, [points.astype(np.int32)], value, cv2.LINE_AA)
        else:
            points = middle + rng.uniform(-1, 1, (int(rng.integers(2, 5)), 2)) * reach
            cv2.polylines(
                picture,
                [points.astype(np.int32)],
                False,
                value,
                int(rng.integers(1, 4)),
                cv2.LINE_AA,
            )


def uprights(picture: Picture, rng: Generator, left: float, width: float, ink: Value) -> None:
    """Upright lines beside the text, which are no 1 and no I: posts, trunks, masts, the edge of a
    picture.
    """
    height, _, channels = picture.shape
    for place in left + width * np.sort(rng.uniform(0, 1, int(rng.integers(1, 5)))):
        value = ink if rng.random() < 0.3 else any_tone(rng, channels)
        top, bottom = height * rng.uniform(0.02, 0.35), height * rng.uniform(0.62, 0.98)
        lean = height * rng.normal() * 0.02
        cv2.line(
            picture,
            (int(place), int(top)),
            (int(place + lean), int(bottom)),
            tone(value),
            max(1, int(height * rng.uniform(0.008, 0.06))),
            cv2.LINE_AA,
        )


def bolts(
    picture: Picture, rng: Generator, spots: Sequence[tuple[float, float]], chance: float
) -> None:
    """Screw heads and holes, some light, some dark, with a shine."""
    height, width, channels = picture.shape
    for x, y in spots:
        if rng.random() >= chance:
            continue
        centre = (int(width * x + rng.normal() * 2), int(height * y + rng.normal() * 2))
        radius = max(1, int(height * rng.uniform(0.02, 0.055)))
        cv2.circle(
            picture, centre, radius, tone(any_tone(rng, channels, 0.0, 0.9)), -1, cv2.LINE_AA
        )
        if rng.random() < 0.4:
            cv2.circle(
                picture,
                (centre[0] - 1, centre[1] - 1),
                max(1, radius // 2),
                tone(any_tone(rng, channels, 0.3)),
                -1,
                cv2.LINE_AA,
            )


def holder(picture: Picture, rng: Generator, kind: str) -> None:
    """A dealer's frame over the edges, with its print."""
    height, width, channels = picture.shape
    value = any_tone(rng, channels, 0.0, 0.25 if rng.random() < 0.7 else 0.9)
    edge = max(1, int(height * rng.uniform(0.01, 0.05)))
    cv2.rectangle(picture, (0, 0), (width - 1, height - 1), tone(value), edge)
    print_value = np.where(value < 0.5, 0.9, 0.1).astype(np.float32)
    # The deepest frames hide the characters' feet.
    deepest = (0.25 if rng.random() < 0.2 else 0.17) if kind == "us" else 0.08
    for top in (True, False):
        if rng.random() < 0.55:
            depth = max(2, int(height * rng.uniform(0.05, deepest)))
            start = 0 if top else height - depth
            picture[start : start + depth] = value
            if rng.random() < 0.7:
                line_of_print(
                    picture,
                    rng,
                    kind,
                    start + depth / 2,
                    depth * rng.uniform(0.5, 0.8),
                    print_value,
                )
