"""models/training/recognizer/mixing.py: real plates get other characters, and their text says so.
models/training/fonts.py: fonts that are missed are named.
"""

from pathlib import Path

import numpy as np
import pytest

from models.training import fonts
from models.training.fonts import FontFile, missing
from models.training.recognizer.mixing import donors_of, mixable, mixed
from models.training.recognizer.real import Boxed, RealPlate, boxes_of
from models.training.render.glyphs import StrokeFace
from models.training.render.syntax import font_names

WIDE, HIGH, EDGE = 24, 44, 20


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


def photographed(text: str, ink: float = 0.2, ground: float = 0.8, seed: int = 1) -> RealPlate:
    """A plate of stroke glyphs with a box around each."""
    face = StrokeFace(np.random.default_rng(seed))
    picture = np.full((HIGH + 2 * EDGE, WIDE * len(text) + 2 * EDGE), ground, np.float32)
    characters = []
    for i, character in enumerate(text):
        left = EDGE + i * WIDE
        mask = face.mask(character, WIDE - 6, HIGH - 6).astype(np.float32) / 255
        part = picture[EDGE + 3 : EDGE + HIGH - 3, left + 3 : left + WIDE - 3]
        part += mask * (ink - part)
        characters.append(Boxed(character, (left, EDGE, left + WIDE, EDGE + HIGH)))
    height, width = picture.shape
    quad = np.array(
        [[EDGE, EDGE], [width - EDGE, EDGE], [width - EDGE, height - EDGE], [EDGE, height - EDGE]],
        np.float32,
    )
    return RealPlate(picture, quad, text, "us", tuple(characters))


def test_that_the_text_tells_what_was_exchanged_and_only_that_was() -> None:
    plate, other = photographed("AB345C"), photographed("XY678Z", seed=2)
    rng = np.random.default_rng(3)
    seen = set()
    for _ in range(20):
        new = mixed(rng, plate, donors_of([plate, other]))
        assert len(new.text) == len(plate.text)
        for old, now, boxed in zip(plate.text, new.text, plate.characters, strict=True):
            same = np.array_equal(boxed.of(new.picture), boxed.of(plate.picture))
            assert same == (old == now), (old, now)
        seen.add(new.text)
    assert len(seen) > 15
    assert any(set(text) & set("IOQU") for text in seen), (
        "characters that no photograph has are drawn"
    )


def test_that_an_exchanged_character_looks_like_what_the_text_says() -> None:
    plate = photographed("88888")
    templates = {
        character: photographed(character).picture[EDGE : EDGE + HIGH, EDGE : EDGE + WIDE]
        for character in "123456789"
    }
    rng, right, count = np.random.default_rng(5), 0, 0
    for _ in range(30):
        new = mixed(rng, plate, donors_of([photographed("12345"), photographed("67899")]))
        for boxed, now in zip(new.characters, new.text, strict=True):
            if now in "2345679":
                part = boxed.of(new.picture)
                likest = max(
                    templates,
                    key=lambda c: float(np.corrcoef(part.ravel(), templates[c].ravel())[0, 1]),
                )
                right, count = right + (likest == now), count + 1
    assert count > 20
    assert right / count > 0.85, f"{right} of {count}"


def test_that_ink_and_ground_stay_the_plate_s_own() -> None:
    plate = photographed("88888", ink=0.1, ground=0.35)
    new = mixed(
        np.random.default_rng(7), plate, donors_of([photographed("12345", ink=0.5, ground=0.95)])
    )
    assert new.text != plate.text
    assert new.picture.max() < 0.45
    assert new.picture.min() > 0.0


def test_that_light_characters_and_plates_without_boxes_are_left() -> None:
    dark, light = photographed("ABC123"), photographed("ABC123", ink=0.9, ground=0.2)
    boxless = RealPlate(dark.picture, dark.quad, dark.text, "us")
    assert mixable([dark, light, boxless]) == [dark]


def test_that_boxes_which_do_not_spell_the_text_are_not_used() -> None:
    picture = np.zeros((60, 120), np.float32)
    spelt = [["B", 130.0, 40.0, 20.0, 30.0], ["A", 110.0, 40.0, 20.0, 30.0]]
    assert [b.character for b in boxes_of(spelt, (100, 30), picture, "AB")] == ["A", "B"]
    assert boxes_of(spelt, (100, 30), picture, "AC") == ()
    assert boxes_of([["A", 110.0, 40.0, 2.0, 30.0]], (100, 30), picture, "A") == ()


def test_that_fonts_which_the_tables_name_and_no_folder_has_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = [FontFile(tmp_path / "x.ttf", "barlow-condensed")]
    assert missing(["barlow", "saira", "saira"], found) == ["saira"]
    monkeypatch.setattr(fonts, "find_fonts", lambda: found)
    fonts.require(["barlow"])
    fonts.tell(["barlow"])
    assert capsys.readouterr() == ("", "")
    with pytest.raises(SystemExit, match=r"(?s)no face of saira .*--install.*--fewer-fonts"):
        fonts.require(["barlow", "saira"])
    fonts.tell(["barlow", "saira"])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("drawn without saira: ")


def test_that_every_font_of_the_tables_is_one_that_is_installed() -> None:
    """A name that no package brings (it was "din" for Open DIN) is never drawn with, and nothing
    else would say so.
    """
    brought = {
        *fonts.NPM_FAMILIES,
        "rounded",
        *(folder.name for folder in fonts.SYSTEM_FOLDERS),
        "gl-nummernschild",
    }
    assert (
        sorted(
            name for name in font_names() if not any(family.startswith(name) for family in brought)
        )
        == []
    )
