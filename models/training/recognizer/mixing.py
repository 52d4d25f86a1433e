"""Real plates with other characters: each taken from another photograph, or drawn, in the plate's
own ink and light.

DarkPlate has 208 texts, none with I, O, Q or U and few with Y or Z. Seen thousands of times as they
are, they could be learnt by heart, and that there is no U on a photograph.
"""

from collections import defaultdict
from dataclasses import replace

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from models.training.recognizer.real import SMALLEST, RealPlate
from models.training.render.glyphs import NARROW, Face, breadth, draw_face
from models.training.render.syntax import CHARACTERS, DIGITS, LETTERS, tables

Grey = NDArray[np.float32]
CHANGED = 0.6  # of a plate's characters
SAME_KIND = 0.85  # a letter for a letter, a digit for a digit
FROM_PHOTOGRAPH = 0.6  # the others are drawn
SIMILAR = (0.75, 1.33)  # a donor's proportions over those of the place that it fills
COARSEST = 0.7  # of the place's height: a donor with fewer pixels would stand out as blurred
LEAST_CONTRAST = 0.06


# Characters on their ground, cut out of photographs: H×W, 0 ink – 1 ground.
Donors = dict[str, list[Grey]]


def levels(part: Grey) -> tuple[float, float]:
    """Grey of the ink and of the ground around a dark character."""
    ink, ground = np.percentile(part, (8, 88))
    return float(ink), float(ground)


def dark_on_light(plate: RealPlate) -> bool:
    """Whether the characters are darker than their ground and there is contrast to tell."""
    ink, ground = levels(
        np.concatenate([boxed.of(plate.picture).ravel() for boxed in plate.characters])
    )
    border = np.concatenate(
        [boxed.of(plate.picture)[[0, -1]].ravel() for boxed in plate.characters]
    )
    return ground - ink > LEAST_CONTRAST and float(np.median(border)) > (ink + ground) / 2


def mixable(plates: list[RealPlate]) -> list[RealPlate]:
    """Those whose characters can be exchanged."""
    return [plate for plate in plates if plate.characters and dark_on_light(plate)]


def donors_of(plates: list[RealPlate]) -> Donors:
    """Every character of the plates, by what it is."""
    found: Donors = defaultdict(list)
    for plate in plates:
        for boxed in plate.characters:
            part = boxed.of(plate.picture)
            ink, ground = levels(part)
            if ground - ink > LEAST_CONTRAST:
                found[boxed.character].append((part - ink) / (ground - ink))
    return dict(found)


def mixed(rng: Generator, plate: RealPlate, donors: Donors) -> RealPlate:
    """The plate with some characters exchanged; `plate`: one of the mixable."""
    picture = plate.picture.copy()
    face = draw_face(rng, tables()["us"]["fonts"], 0.6)
    softness = rng.uniform(0.012, 0.03)
    text = []
    for boxed in plate.characters:
        wanted = (
            boxed.character
            if boxed.character in NARROW or rng.random() > CHANGED
            else another(rng, boxed.character)
        )
        place = boxed.of(picture)
        if wanted != boxed.character and visible(place):
            fitting = (
                [donor for donor in donors.get(wanted, []) if fits(donor, place)]
                if rng.random() < FROM_PHOTOGRAPH
                else []
            )
            if fitting:
                transplant(place, fitting[int(rng.integers(len(fitting)))])
            else:
                redraw(place, face, wanted, softness)
        else:
            wanted = boxed.character
        text.append(wanted)
    return replace(plate, picture=picture, text="".join(text))


def visible(place: Grey) -> bool:
    """Whether there is a character to be exchanged: ink on ground, several pixels of it."""
    ink, ground = levels(place)
    dark = place < (ink + ground) / 2
    return (
        ground > ink
        and int(dark.any(1).sum()) >= SMALLEST[1] // 2
        and int(dark.any(0).sum()) >= SMALLEST[0] // 2
    )


def another(rng: Generator, character: str) -> str:
    """A character for that place, mostly of the same kind."""
    kind = DIGITS if character in DIGITS else LETTERS
    choice = kind if rng.random() < SAME_KIND else CHARACTERS
    return choice[int(rng.integers(len(choice)))]


def fits(donor: Grey, place: Grey) -> bool:
    """Whether it would not have to be stretched much in that place."""
    (high, wide), (place_high, place_wide) = donor.shape, place.shape
    return (
        high >= COARSEST * place_high
        and SIMILAR[0] <= (wide / high) / (place_wide / place_high) <= SIMILAR[1]
    )


def transplant(place: Grey, donor: Grey) -> None:
    """The donor in the place's ink and ground, fading out at the sides; in place."""
    ink, ground = levels(place)
    height, width = place.shape
    new = cv2.resize(donor, (width, height), interpolation=cv2.INTER_AREA) * (ground - ink) + ink
    place += fading(width, height) * (new - place)


def fading(width: int, height: int) -> Grey:
    """1 in the middle, down to 0 over the outermost twentieth."""
    across, down = (
        np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / max(1.0, side / 20)
        for side in (width, height)
    )
    return np.minimum(1.0, np.minimum(across[None], down[:, None])).astype(np.float32)


def redraw(place: Grey, face: Face, wanted: str, softness: float) -> None:
    """The place's character painted over and a drawn one put where it was; `softness`: of its
    edges, share of the height.

    In place.
    """
    ink, ground = levels(place)
    dark = place < (ink + ground) / 2
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    hidden = cv2.dilate(
        (place < 0.25 * ink + 0.75 * ground).astype(np.uint8), np.ones((3, 3), np.uint8)
    )
    empty = (
        cv2.inpaint(
            (np.clip(place, 0, 1) * 255).astype(np.uint8), hidden, 3, cv2.INPAINT_TELEA
        ).astype(np.float32)
        / 255
    )
    empty = np.maximum(empty, (ink + ground) / 2)
    width, height = max(3, round((right - left) * breadth(face, wanted))), int(bottom - top)
    canvas = np.zeros_like(place)
    start = left + (right - left - width) // 2
    canvas[top:bottom, start : start + width] = (
        face.mask(wanted, width, height).astype(np.float32)[:, : canvas.shape[1] - start] / 255
    )
    shape = cv2.GaussianBlur(canvas, (0, 0), max(0.4, softness * height))
    place[:] = empty + shape * (ink - empty)
