"""models/training/render: plates that are what they say, the same for the same seed, and degraded
crops of the right size.
"""

import re

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow draws the small print; it is a training dependency")

from models.training.render.degrade import Crop, photograph
from models.training.render.glyphs import StrokeFace
from models.training.render.plates import draw_plate, render_plate
from models.training.render.syntax import CHARACTERS, REGIONS, draw_text, filled, spaced_out, tables


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


@pytest.mark.parametrize("region", REGIONS)
def test_a_plate_carries_its_text_and_region(region):
    plate = render_plate(np.random.default_rng(3), "TEST123", region)
    assert (plate.text, plate.region) == ("TEST123", region)
    height, width, channels = plate.image.shape
    assert (plate.image.dtype, channels) == (np.uint8, 3)
    assert 200 <= width <= 520
    assert 1.8 < width / height < 5


def test_the_same_seed_gives_the_same_plates():
    once, again = (
        [render_plate(rng) for _ in range(5)]
        for rng in (np.random.default_rng(7), np.random.default_rng(7))
    )
    assert [plate.text for plate in once] == [plate.text for plate in again]
    assert all((a.image == b.image).all() for a, b in zip(once, again, strict=True))


@pytest.mark.parametrize("region", REGIONS)
def test_drawn_texts_are_plain_and_of_a_plates_length(region):
    rng = np.random.default_rng(5)
    for _ in range(200):
        assert re.fullmatch("[A-Z0-9]{4,9}", draw_text(rng, region).text)


def test_brazilian_texts_keep_their_syntax():
    rng = np.random.default_rng(6)
    assert all(
        re.fullmatch("[A-Z]{3}[0-9]([0-9]|[A-Z])[0-9]{2}", draw_text(rng, "br").text)
        for _ in range(200)
    )


def test_unused_letters_never_appear():
    rng = np.random.default_rng(8)
    assert not set("IOQ") & set("".join(filled(rng, "AAAA", "IOQ") for _ in range(200)))


def test_a_given_text_is_only_spaced():
    rng = np.random.default_rng(9)
    assert {spaced_out(rng, "AB1234").spaced for _ in range(50)} == {"AB1234", "AB-1234"}


def test_an_unknown_region_is_refused():
    with pytest.raises(ValueError, match="unknown region"):
        render_plate(np.random.default_rng(1), region="mars")


def test_every_series_can_be_drawn():
    rng = np.random.default_rng(2)
    for region in REGIONS:
        for _, pattern, unused in tables()[region]["series"]:
            assert all(c in CHARACTERS or c == "-" for c in filled(rng, pattern, unused))


@pytest.mark.parametrize("character", CHARACTERS)
def test_every_stroke_glyph_leaves_ink_inside_its_box(character):
    mask = StrokeFace(np.random.default_rng(3)).mask(character, 30, 60)
    assert mask.shape == (60, 30)
    assert 0.04 < (mask > 127).mean() < 0.8


@pytest.mark.parametrize("hardness", [0.0, 1.0])
def test_a_degraded_crop_has_the_networks_size(hardness):
    rng = np.random.default_rng(4)
    picture = draw_plate(rng, channels=1).picture[:, :, 0]
    height, width = picture.shape
    quad = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    for _ in range(40):
        crop = photograph(
            rng, np.clip(picture, 0, 1), quad, Crop(128, 48), hardness, surrounded=False
        )
        assert (crop.shape, crop.dtype) == ((48, 128), np.uint8)
