"""models/training/parts.py and polarity.py: what chooses never judges; light on dark is told."""

import shutil

import cv2
import numpy as np
import pytest

from models.training.parts import PARTS, part_of, part_of_file
from models.training.polarity import light_on_dark

TUNED_OF_TWELVE = {1, 5, 7, 10}


def test_the_split_is_fixed_for_ever():
    """Another split would let figures be quoted that were chosen by."""
    tuned = {number for number in range(12) if part_of(bytes([number])) == "tune"}
    assert tuned == TUNED_OF_TWELVE


def test_both_parts_get_about_half():
    tuned = sum(part_of(str(number).encode()) == "tune" for number in range(2000))
    assert 900 < tuned < 1100


def test_a_photograph_stays_in_its_part_when_it_is_renamed_or_copied(tmp_path):
    one = tmp_path / "one.jpg"
    one.write_bytes(b"a photograph")
    other = tmp_path / "folder" / "other.png"
    other.parent.mkdir()
    shutil.copyfile(one, other)
    assert part_of_file(one) == part_of_file(other) == part_of(b"a photograph")
    assert part_of_file(one) in PARTS


@pytest.mark.parametrize(("ground", "ink"), [(230, 20), (20, 230), (120, 40), (60, 110)])
def test_the_ground_is_what_covers_more(ground, ink):
    plate = np.full((60, 200, 3), ground, np.uint8)
    cv2.putText(plate, "AB123", (10, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (ink,) * 3, 5)
    assert light_on_dark(plate) == (ink > ground)
    assert light_on_dark(cv2.cvtColor(plate, cv2.COLOR_BGR2GRAY)) == (ink > ground)


def test_a_shadow_across_the_plate_deceives_nobody():
    plate = np.full((60, 200), 200, np.uint8)
    cv2.putText(plate, "AB123", (10, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (30,), 5)
    shaded = (plate * np.linspace(0.15, 1.0, 200)).astype(np.uint8)
    assert not light_on_dark(shaded)
    assert light_on_dark(255 - shaded)


def test_nothing_is_not_light_on_dark():
    assert not light_on_dark(np.zeros((0, 0, 3), np.uint8))
