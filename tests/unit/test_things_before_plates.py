"""models/training/whole/pictures.py: things drawn over whole plates, and where they are."""

import numpy as np
import pytest

from models.training.whole import pictures
from models.training.whole.pictures import COARSE, FINE, HIGH, LOW, TEXT, UNKNOWN

PLATE = np.random.default_rng(2).integers(90, 160, (96, 192), np.uint8)


def drawn(seed, **constants):
    with pytest.MonkeyPatch.context() as patch:
        for name, value in constants.items():
            patch.setattr(pictures, name, value)
        return pictures.one(np.random.default_rng(seed), PLATE)


def covered(columns):
    cover = np.zeros((96, 192), np.float32)
    cover[:, columns] = 1
    return cover


def test_a_batch_is_of_the_networks_shapes_and_the_same_from_one_seed():
    one, again, other = (next(pictures.lessons(seed, PLATE[None])) for seed in (1, 1, 2))
    assert one.pictures.shape == (64, 1, 96, 192)
    assert (one.fine.shape, one.coarse.shape, one.hides.shape) == ((64, 12, 24), (64, 6, 12), (64,))
    assert abs(float(one.pictures[0].mean())) < 0.01
    assert set(one.hides.tolist()) <= {0.0, 1.0, UNKNOWN}
    assert (one.pictures == again.pictures).all()
    assert (one.pictures != other.pictures).any()


def test_of_a_whole_plate_nothing_is_covered():
    for seed in range(20):
        seen, cover, hides = drawn(seed, HIDDEN=0.0)
        assert (seen.shape, seen.dtype) == (PLATE.shape, PLATE.dtype)
        assert cover.max() == 0
        assert hides == 0


def test_it_is_known_where_a_thing_is():
    plain = {"photographed": lambda _rng, picture: picture, "ASTRAY": 0.0, "TO_WHAT_IS_SEEN": 0.0}
    for seed in range(20):
        seen, cover, _ = drawn(seed, HIDDEN=1.0, **plain)
        changed = np.abs(seen.astype(int) - PLATE) > 2
        assert not changed[cover == 0].any()
        assert cover.max() > 0.9


def test_what_covers_characters_hides_and_what_covers_a_little_may_or_may_not():
    kinds = {hides for seed in range(60) for *_, hides in [drawn(seed, HIDDEN=1.0)]}
    assert kinds == {0.0, 1.0, UNKNOWN}


def test_corners_are_found_on_the_plates_sides_or_on_the_things():
    cover = covered(slice(0, 80))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "ASTRAY", 0.0)
        found = [pictures.frame(np.random.default_rng(seed), cover) for seed in range(30)]
    lefts = {round(float(one[0, 0]), 1) for one in found}
    assert lefts == {round(float(LOW[0]), 1), 80.4}
    assert all(one[1].tolist() == pytest.approx(HIGH.tolist(), abs=1) for one in found)


def test_of_a_plate_of_which_hardly_anything_is_seen_no_corner_moves():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "ASTRAY", 0.0)
        found = pictures.frame(np.random.default_rng(1), covered(slice(0, 150)))
    assert found.tolist() == [LOW.tolist(), HIGH.tolist()]


def test_what_was_found_fills_the_plates_place():
    ramp = np.tile(np.arange(192, dtype=np.float32), (96, 1))
    same = pictures.pulled(ramp, np.stack([LOW, HIGH]))
    assert np.abs(same - ramp).max() < 0.1
    half = pictures.pulled(ramp, np.stack([LOW, [(LOW[0] + HIGH[0]) / 2, HIGH[1]]]))
    assert half[48, round(float(HIGH[0]))] == pytest.approx((LOW[0] + HIGH[0]) / 2, abs=1)


def test_cells_are_means():
    cover = np.zeros((1, 96, 192), np.float32)
    cover[0, :8, :4] = 1
    assert pictures.by_cell(cover, FINE)[0, 0, 0] == 0.5
    assert pictures.by_cell(cover, COARSE)[0, 0, 0] == 0.125


def test_the_characters_place_is_within_the_plate():
    rows, columns = TEXT
    assert LOW[0] < columns.start < columns.stop < HIGH[0]
    assert LOW[1] < rows.start < rows.stop < HIGH[1]


def test_a_shadow_lets_the_picture_through():
    for seed in range(20):
        shade = pictures.shade(np.random.default_rng(seed))
        assert shade.shape == PLATE.shape
        assert 0.29 < shade.min() <= shade.max() <= 1
