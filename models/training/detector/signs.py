"""Things with text that are not plates: signs, badges, stickers, overlays. Pasted as hard negatives.

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
        letters = "".join(rng.choice(list(string.ascii_lowercase), int(rng.integers(2, longest + 1))))
        out.append(rng.choice([letters, letters.capitalize(), letters.upper()]))
    return " ".join(out)


def draw_text(rng: Generator, font_files: list[Path], text: str, ink: tuple[int, int, int]) -> Image:
    """Text as H x W x 4 BGRA on nothing."""
    font = ImageFont.truetype(str(font_files[int(rng.integers(len(font_files)))]), int(rng.integers(18, 44)))
    left, top, right, bottom = ImageDraw.Draw(Pillow.new("L", (1, 1))).multiline_textbbox((0, 0), text, font=font)
    margin = int(rng.integers(2, 18))
    size = (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin)
    mask = Pillow.new("L", size)
    ImageDraw.Draw(mask).multiline_text((margin - left, margin - top), text, fill=255, font=font, align=rng.choice(["left", "center"]))
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


def grille(rng: Generator) -> Image:
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
        cv2.rectangle(out, (1, 1), (width - 2, height - 2), (*shade(rng, 0, 255, 0.3), 255), int(rng.integers(1, 5)))
    return out


def render_sign(rng: Generator, font_files: list[Path]) -> Image:
    """One distractor, H x W x 4 BGRA; nowhere a plate's layout of few large characters on a framed light ground."""
    kind = rng.random()
    if kind < 0.18:
        return grille(rng)
    ink = shade(rng, 180, 255, 0.3) if rng.random() < 0.55 else shade(rng, 0, 120, 1.0)
    if kind < 0.36:  # time and camera overlays: no ground
        stamp = rng.integers(0, 60, 6)
        text = f"20{stamp[0]:02d}-{stamp[1] % 12 + 1:02d}-{stamp[2] % 28 + 1:02d} {stamp[3] % 24:02d}:{stamp[4]:02d}:{stamp[5]:02d}"
        return draw_text(rng, font_files, text[rng.choice([0, 11]) :], ink)
    if kind < 0.52:  # badges and lettering on bodywork: no ground
        return draw_text(rng, font_files, words(rng, int(rng.integers(1, 3)), 9), ink)
    if kind < 0.62:  # telephone numbers
        digits = "".join(str(d) for d in rng.integers(0, 10, 10))
        text = f"{digits[:3]}-{digits[3:6]}-{digits[6:]}"
        picture = draw_text(rng, font_files, text, ink)
        return board(rng, picture) if rng.random() < 0.5 else picture
    lines = [words(rng, int(rng.integers(1, 4)), 10) for _ in range(int(rng.integers(1, 5)))]
    if len(lines) == 1:
        lines[0] += " " + words(rng, 1, 10)
    return board(rng, draw_text(rng, font_files, "\n".join(lines), ink))
