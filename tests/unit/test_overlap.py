"""Two boxes: how much they share, and whether they show one plate."""

import pytest

from agent.core.reading.overlap import overlap, same_plate

PLATE = (100.0, 100.0, 100.0, 50.0)


def test_overlap_is_the_shared_part_of_the_whole():
    assert overlap(PLATE, PLATE) == 1
    assert overlap(PLATE, (150, 100, 100, 50)) == pytest.approx(1 / 3)
    assert overlap(PLATE, (200, 100, 100, 50)) == 0
    assert overlap(PLATE, (500, 500, 10, 10)) == 0
    assert overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0


@pytest.mark.parametrize(
    ("other", "same"),
    [
        ((110, 105, 95, 48), True),
        ((110, 110, 12, 8), True),
        ((70, 80, 300, 200), True),
        ((190, 100, 100, 50), False),
        ((100, 150, 100, 50), False),
    ],
    ids=["nearly equal", "sticker", "bumper", "neighbour", "below"],
)
def test_one_plate_is_what_overlaps_much_or_lies_in_the_other(other, same):
    assert same_plate(PLATE, other) is same
    assert same_plate(other, PLATE) is same
