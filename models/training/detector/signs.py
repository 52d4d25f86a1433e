"""Things with text that are not plates: signs, badges, stickers, overlays.

Pasted as hard negatives.

Synthetic on purpose: an unlabelled photograph may hide a real plate, a drawn sign cannot.
"""

import string
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont

from models.training.detector.flat_images import Image

FONT_FOLDERS = (Path("/usr/share/fonts/truetype"), Path("/usr/share/fonts"))


def fonts() -> list[Path]:
    """Every TrueType font of this machine, in a stable order."""
    folder = next((folder for folder in FONT_FOLDERS if folder.is_dir()), FONT_FOLDERS[0])
    found = sorted(folder.rglob("*.ttf"))
    if not found:
        message = f"{folder}: no TrueType fonts (install fonts-dejavu or fonts-roadgeek)"
        raise FileNotFoundError(message)
    return found


def words(rng: Generator, count: int, longest: int) -> str:
    """`count` made-up words; mostly lower case or capitalised, which plates are not."""
    out = []
    for _ in range(count):
        letters = "".join(
            rng.choice(list(string.ascii_lowercase), int(rng.integers(2, longest + 1)))
        )
        out.append(rng.choice([letters, letters.capitalize(), letters.upper()]))
    return " ".join(out)


def draw_text(
    rng: Generator, font_files: list[Path], text: str, ink: tuple[int, int, int]
) -> Image:
    """Text as H x W x 4 BGRA on nothing."""
    font = ImageFont.truetype(
        str(font_files[int(rng.integers(len(font_files)))]), int(rng.integers(18, 44))
    )
    left, top, right, bottom = ImageDraw.Draw(Pillow.new("L", (1, 1))).multiline_textbbox(
        (0, 0), text, font=font
    )
    margin = int(rng.integers(2, 18))
    size = (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin)
    mask = Pillow.new("L", size)
    ImageDraw.Draw(mask).multiline_text(
        (margin - left, margin - top),
        text,
        fill=255,
        font=font,
        align=rng.choice(["left", "center"]),
    )
    out = np.empty((size[1], size[0], 4), np.uint8)
    out[:, :, :3] = ink
    out[:, :, 3] = np.asarray(mask)
    return out


def shade(rng: Generator, low: int, high: int, saturation: float) -> tuple[int, int, int]:
    """A colour with brightness low..high and at most that saturation (0..1)."""
    value = rng.uniform(low, high)
    return tuple(int(value * (1 - saturation * rng.random())) for _ in range(3))


def board(rng: Generator, picture: Image) -> Image:
    """Put text on a coloured board: road sign, shop sign, poster; rectangular or rounded."""
    height, width = picture.shape[:2]
    dark_ground = picture[0, 0, :3].mean() > 128
    ground = shade(rng, 20, 120, 1.0) if dark_ground else shade(rng, 140, 255, 0.8)
    alpha = picture[:, :, 3:].astype(np.float32) / 255
    colour = picture[:, :, :3] * alpha + np.array(ground, np.float32) * (1 - alpha)
    mask = np.full((height, width), 255, np.uint8)
    if rng.random() < 0.3:
        mask[:] = 0
        cv2.ellipse(mask, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
    elif rng.random() < 0.6:
        ink = tuple(int(v) for v in picture[0, 0, :3])
        cv2.rectangle(colour, (2, 2), (width - 3, height - 3), ink, int(rng.integers(1, 4)))
    return np.dstack([np.clip(colour, 0, 255).astype(np.uint8), mask])


def grille(rng: Generator, _font_files: list[Path]) -> Image:
    """Bars, lamps and empty panels: the plate-shaped parts of a car that carry no text."""
    height, width = int(rng.integers(16, 60)), int(rng.integers(40, 200))
    out = np.empty((height, width, 4), np.uint8)
    out[:, :, :3] = shade(rng, 20, 255, 0.3)
    out[:, :, 3] = 255
    kind = rng.random()
    if kind < 0.5:
        step = int(rng.integers(3, 12))
        ink = shade(rng, 0, 255, 0.2)
        for at in range(step, height if kind < 0.3 else width, 2 * step):
            if kind < 0.3:
                out[at : at + step, :, :3] = ink
            else:
                out[:, at : at + step, :3] = ink
    elif kind < 0.8:
        cv2.rectangle(
            out,
            (1, 1),
            (width - 2, height - 2),
            (*shade(rng, 0, 255, 0.3), 255),
            int(rng.integers(1, 5)),
        )
    return out


def badge(rng: Generator, font_files: list[Path]) -> Image:
    """A maker's emblem: an ellipse or ring, mostly with a short word in it."""
    height = int(rng.integers(30, 90))
    width = int(height * (rng.uniform(1.6, 2.6) if rng.random() < 0.6 else rng.uniform(0.9, 1.2)))
    out = np.zeros((height, width, 4), np.uint8)
    middle, radii = (width // 2, height // 2), (width // 2 - 1, height // 2 - 1)
    cv2.ellipse(out, middle, radii, 0, 0, 360, (*shade(rng, 120, 255, 0.1), 255), -1, cv2.LINE_AA)
    rim = int(rng.integers(2, 7))
    inner = shade(rng, 20, 160, 1.0) if rng.random() < 0.8 else shade(rng, 60, 255, 0.1)
    cv2.ellipse(
        out,
        middle,
        (max(2, radii[0] - rim), max(2, radii[1] - rim)),
        0,
        0,
        360,
        (*inner, 255),
        -1,
        cv2.LINE_AA,
    )
    if rng.random() < 0.75:
        word = draw_text(rng, font_files, words(rng, 1, 6), shade(rng, 170, 255, 0.1))
        size = (max(4, int(width * 0.72)), max(4, int(height * rng.uniform(0.3, 0.5))))
        word = cv2.resize(word, size, interpolation=cv2.INTER_AREA)
        x, y = (width - size[0]) // 2, (height - size[1]) // 2
        alpha = word[:, :, 3:] / 255
        spot = out[y : y + size[1], x : x + size[0], :3]
        spot[:] = (spot * (1 - alpha) + word[:, :, :3] * alpha).astype(np.uint8)
    else:
        for _ in range(int(rng.integers(1, 4))):
            ends = rng.uniform(
                [0.2 * width, 0.2 * height], [0.8 * width, 0.8 * height], (2, 2)
            ).astype(int)
            cv2.line(
                out,
                tuple(ends[0].tolist()),
                tuple(ends[1].tolist()),
                (*shade(rng, 170, 255, 0.1), 255),
                rim,
                cv2.LINE_AA,
            )
    return out


def lettering(rng: Generator, font_files: list[Path]) -> Image:
    """Chrome letters, model numbers and fleet numbers on bodywork: light, with a dark edge, on
    nothing.
    """
    kind = rng.random()
    if kind < 0.5:
        text = words(rng, 1, 7).upper()
    elif kind < 0.75:
        text = "".join(str(d) for d in rng.integers(0, 10, int(rng.integers(2, 7))))
    else:
        text = (
            str(rng.choice(list(string.ascii_uppercase)))
            + words(rng, 1, 3).upper()
            + str(rng.integers(1, 9))
        )
    light = rng.random() < 0.65
    top = draw_text(
        rng, font_files, text, shade(rng, 150, 255, 0.12) if light else shade(rng, 0, 70, 0.5)
    )
    edge = cv2.dilate(top[:, :, 3], np.ones((3, 3), np.uint8))
    alpha = top[:, :, 3:].astype(np.float32) / 255
    under = np.array(shade(rng, 0, 60, 0.3) if light else shade(rng, 150, 255, 0.2), np.float32)
    colour = (top[:, :, :3] * alpha + under * (1 - alpha)).astype(np.uint8)
    return np.dstack([colour, edge if rng.random() < 0.7 else top[:, :, 3]])


def stamp(rng: Generator, font_files: list[Path]) -> Image:
    """Date and time burnt in by a camera, on one line or two, often outlined so that it shows on
    any ground.
    """
    parts = rng.integers(0, 60, 6)
    joint = str(rng.choice(["-", "/", "."]))
    date = f"20{parts[0]:02d}{joint}{parts[1] % 12 + 1:02d}{joint}{parts[2] % 28 + 1:02d}"
    hour = f"{parts[3] % 24:02d}:{parts[4]:02d}:{parts[5]:02d}"
    text = str(
        rng.choice([f"{date}\n{hour}", f"{date} {hour}", date, hour], p=[0.45, 0.25, 0.15, 0.15])
    )
    mono = (
        [file for file in font_files if "Mono" in file.name] if rng.random() < 0.7 else font_files
    )
    top = draw_text(rng, mono or font_files, text, shade(rng, 200, 255, 0.1))
    if rng.random() < 0.3:
        return top
    edge = cv2.dilate(top[:, :, 3], np.ones((5, 5), np.uint8))
    alpha = top[:, :, 3:].astype(np.float32) / 255
    return np.dstack([(top[:, :, :3] * alpha).astype(np.uint8), edge])


def lamp(rng: Generator, _font_files: list[Path]) -> Image:
    """A tail lamp, headlamp, mirror or reflector: a soft polygon, coloured, with a bright spot and
    ribs.
    """
    height, width = int(rng.integers(24, 70)), int(rng.integers(50, 170))
    mask = np.zeros((height, width), np.uint8)
    low, high = np.array([0.0, 0.0]), np.array([width, height])
    slack = rng.uniform(0, 0.3, (4, 2)) * high
    points = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
    points += slack * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    cv2.fillPoly(mask, [points.astype(np.int32)], 255, cv2.LINE_AA)
    mask = cv2.GaussianBlur(mask, (0, 0), rng.uniform(0.5, 3))
    kind = rng.random()
    value = (
        (20, 20, 200) if kind < 0.4 else (30, 150, 240) if kind < 0.6 else shade(rng, 60, 255, 0.2)
    )
    across, down = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    spot = rng.uniform(0.2, 0.8, 2)
    glow = np.exp(
        -(
            ((across - spot[0]) / rng.uniform(0.1, 0.6)) ** 2
            + ((down - spot[1]) / rng.uniform(0.2, 0.8)) ** 2
        )
    )
    picture = np.array(value) * rng.uniform(0.3, 1) * np.ones((height, width, 1))
    picture = picture + glow[:, :, None] * rng.uniform(0, 220)
    if rng.random() < 0.5:
        period = rng.uniform(4, 16)
        picture *= (
            1
            - rng.uniform(0.1, 0.5)
            * (
                np.sin(
                    (across * width if rng.random() < 0.6 else down * height) * 2 * np.pi / period
                )
                > 0
            )[:, :, None]
        )
    return np.dstack([np.clip(picture, 0, 255).astype(np.uint8), mask])


def sign_ink(rng: Generator) -> tuple[int, int, int]:
    """Light or dark and saturated."""
    return shade(rng, 180, 255, 0.3) if rng.random() < 0.55 else shade(rng, 0, 120, 1.0)


def bare_words(rng: Generator, font_files: list[Path]) -> Image:
    """A word or two painted on bodywork."""
    ink = sign_ink(rng)
    return draw_text(rng, font_files, words(rng, int(rng.integers(1, 3)), 9), ink)


def telephone(rng: Generator, font_files: list[Path]) -> Image:
    """A telephone number, painted or on a board."""
    ink = sign_ink(rng)
    digits = "".join(str(d) for d in rng.integers(0, 10, 10))
    picture = draw_text(rng, font_files, f"{digits[:3]}-{digits[3:6]}-{digits[6:]}", ink)
    return board(rng, picture) if rng.random() < 0.5 else picture


def poster(rng: Generator, font_files: list[Path]) -> Image:
    """A road sign, shop sign or poster of one to four lines."""
    ink = sign_ink(rng)
    lines = [words(rng, int(rng.integers(1, 4)), 10) for _ in range(int(rng.integers(1, 5)))]
    if len(lines) == 1:
        lines[0] += " " + words(rng, 1, 10)
    return board(rng, draw_text(rng, font_files, "\n".join(lines), ink))


KINDS = (
    (0.1, grille),
    (0.22, lamp),
    (0.36, badge),
    (0.54, lettering),
    (0.7, stamp),
    (0.76, bare_words),
    (0.82, telephone),
    (1.0, poster),
)


def render_sign(rng: Generator, font_files: list[Path]) -> Image:
    """One distractor, H x W x 4 BGRA; nowhere a plate's layout of few large characters on a framed
    light ground.
    """
    draw = rng.random()
    kind = next(kind for limit, kind in KINDS if draw < limit)
    return kind(rng, font_files)
