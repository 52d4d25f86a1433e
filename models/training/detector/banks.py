"""Caches of rendered plates and rendered signs, so that the training loader only pastes."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from models.training.detector import drawn_plates, flat_images, signs
from models.training.detector.flat_images import FlatImages, Image
from models.training.render.plates import render_plate

RENDERED_PLATES, DRAWN_PLATES, SIGNS = 1500, 3500, 2500
WIDEST_PX = 300
SEED = 20261122


def shrink(image: Image) -> Image:
    """At most WIDEST_PX wide: the detector sees no plate with more detail than that."""
    height, width = image.shape[:2]
    if width <= WIDEST_PX:
        return image
    return cv2.resize(
        image, (WIDEST_PX, max(1, round(height * WIDEST_PX / width))), interpolation=cv2.INTER_AREA
    )


def plates(rendered: int, drawn: int, seed: int) -> Iterator[tuple[Image, dict]]:
    """Plates of all regions, some from the recogniser's careful renderer, some from our quick one;
    no text is kept.
    """
    rng = np.random.default_rng(seed)
    for _ in range(rendered):
        yield shrink(render_plate(rng).image), {}
    font_files = signs.fonts()
    for _ in range(drawn):
        yield shrink(drawn_plates.draw_plate(rng, font_files)), {}


def sign_images(count: int, seed: int) -> Iterator[tuple[Image, dict]]:
    """Rendered distractors."""
    rng = np.random.default_rng(seed)
    font_files = signs.fonts()
    for _ in range(count):
        yield shrink(signs.render_sign(rng, font_files)), {}


def load(cache: Path) -> tuple[FlatImages, FlatImages]:
    """Plates and signs from `cache`, rendered first when it is empty."""
    for name, images in (
        ("plates", plates(RENDERED_PLATES, DRAWN_PLATES, SEED)),
        ("signs", sign_images(SIGNS, SEED + 1)),
    ):
        if not flat_images.exists(cache / name):
            flat_images.save(cache / name, images)
    return flat_images.load(cache / "plates"), flat_images.load(cache / "signs")
