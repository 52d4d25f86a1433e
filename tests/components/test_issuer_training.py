"""models/training/issuer: what the reader of small print learns from is drawn as it is told."""

import numpy as np
import pytest

pytest.importorskip("PIL", reason="Pillow draws the small print; it is a training dependency")

from agent.vision.issuer.legends import state_of
from models.training.issuer import lines, prints, strips


@pytest.fixture(autouse=True)
def no_fonts(monkeypatch):
    """Pillow's own alone: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)
    monkeypatch.setattr("models.training.issuer.lines.print_fonts", list)
    for cached in (lines.faces, lines.small_faces, lines.set_line):
        cached.cache_clear()
    yield
    for cached in (lines.faces, lines.small_faces, lines.set_line):
        cached.cache_clear()


def test_what_is_spelt_with_spaces_is_a_line_of_the_closed_list_and_the_rest_is_not():
    known = set(state_of())
    assert set(prints.spelt()) <= known
    assert not known & {prints.letters_of(text) for text in prints.tables()["others"]}


def test_strips_say_names_of_all_states_other_words_and_nothing():
    rng = np.random.default_rng(5)
    said = [prints.letters_of(prints.draw_print(rng)) for _ in range(3000)]
    named = [text for text in said if text in state_of()]
    assert len({state_of()[text] for text in named}) == 51
    assert 0.4 < len(named) / len(said) < 0.65
    assert 0.08 < said.count("") / len(said) < 0.3


def test_each_letter_stands_where_it_was_drawn():
    line = lines.set_line(0, "IOWA", "capitals", 0.2)
    assert len(line.middles) == 4
    assert list(line.middles) == sorted(line.middles)
    columns = line.mask.max(axis=0) > 60
    # Spaced capitals have gaps between them: each middle lies on ink, or inside of an O.
    assert all(columns[max(0, int(x) - 8) : int(x) + 8].any() for x in line.middles)
    assert 0 < line.middles[0] < line.middles[-1] < line.mask.shape[1]


def test_only_letters_have_a_place_and_small_words_keep_theirs():
    for style in lines.STYLES:
        line = lines.set_line(0, "ST. X-Y", style, 0.0)
        assert len(line.middles) == len(prints.letters_of("ST. X-Y")) == 4


def test_a_strip_knows_its_letters_and_where_they_stand():
    rng = np.random.default_rng(2)
    drawn = [strips.draw_strip(rng) for _ in range(60)]
    assert {one.upper for one in drawn} == {True, False}
    for one in drawn:
        assert len(one.places) == len(one.letters)
        picture, places = strips.seen(rng, one, 1.0)
        assert (picture.shape, picture.dtype) == ((48, 192), np.uint8)
        assert len(places) == len(one.letters)
        assert all(-12 < x < 204 for x in places)


def test_the_same_seed_draws_the_same_strip():
    one, same, other = (strips.draw_strip(np.random.default_rng(seed)) for seed in (7, 7, 8))
    assert (one.picture == same.picture).all()
    assert one.letters == same.letters
    assert one.picture.shape == other.picture.shape
    assert (one.picture != other.picture).any()
