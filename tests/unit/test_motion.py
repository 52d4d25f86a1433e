"""Where a plate may be by its place, its motion and its size alone."""

from datetime import timedelta

import pytest

from agent.core.reading.tracks.motion import Motion
from tests.support.judging import NOON


def later(seconds):
    return NOON + timedelta(seconds=seconds)


def standing(box=(400.0, 300.0, 100.0, 30.0)):
    motion = Motion(box, NOON)
    motion.saw(box, later(0.1))
    return motion


@pytest.mark.parametrize(
    ("box", "fits"),
    [
        ((400, 300, 100, 30), True),
        ((440, 310, 100, 30), True),
        ((460, 300, 100, 30), False),  # beside it
        ((400, 330, 100, 30), False),  # above or below it
        ((300, 300, 66, 20), False),
        ((420, 305, 40, 15), True),  # a part of it
        ((350, 295, 200, 60), True),  # it is a part of that
        ((376, 300, 24, 30), False),  # a false box at its side
        ((480, 300, 40, 30), False),
    ],
)
def test_what_lies_on_a_standing_plate_fits(box, fits):
    assert standing().fits(tuple(map(float, box)), later(0.15)) is fits


def test_motion_is_expected_to_go_on():
    motion = Motion((0.0, 300.0, 100.0, 30.0), NOON)
    for number in range(1, 5):
        motion.saw((40.0 * number, 300.0, 100.0, 30.0), later(number / 10))
    assert motion.fits((200.0, 300.0, 100.0, 30.0), later(0.5))
    assert not motion.fits((160.0 - 90, 300.0, 100.0, 30.0), later(0.5))
    assert not motion.fits((160.0, 300.0, 100.0, 30.0), later(0.9))  # it must have moved on
    assert motion.from_expected((240.0, 300.0, 100.0, 30.0), later(0.6)) < 0.05
    assert motion.expected(later(9)) == motion.expected(later(1.4))  # nobody drives on for ever


def test_the_longer_it_was_unseen_the_vaguer_is_the_place():
    aside = (480.0, 300.0, 100.0, 30.0)
    assert not standing().fits(aside, later(0.2))
    assert standing().fits(aside, later(1.0))
    once = Motion((400.0, 300.0, 100.0, 30.0), NOON)
    assert not once.fits(aside, later(0.05))
    assert once.fits(aside, later(0.15))
    assert not once.fits((600.0, 300.0, 100.0, 30.0), later(9))


@pytest.mark.parametrize(
    ("box", "covers"),
    [
        ((400, 300, 100, 30), True),
        ((449, 322, 100, 30), True),
        ((451, 300, 100, 30), False),
        ((400, 323, 100, 30), False),
        ((300, 300, 200, 60), True),
    ],
)
def test_what_lies_where_it_was_seen_last_does_so_however_long_ago(box, covers):
    assert standing().covers(tuple(map(float, box))) is covers
    assert standing().fits(tuple(map(float, box)), later(3.0))  # it may have moved


def test_still_and_stood():
    motion = Motion((400.0, 300.0, 100.0, 30.0), NOON)
    assert motion.still  # it may be
    assert not motion.stood
    for number in range(1, 30):
        motion.saw((400.0 + number % 2, 300.0, 100.0, 30.0), later(number / 10))
    assert motion.still
    assert motion.stood
    motion.saw((600.0, 300.0, 100.0, 30.0), later(3.0))
    assert not motion.still
    assert not motion.stood


def test_what_leaves_the_picture_has_left():
    size = (720, 1280)
    motion = Motion((1100.0, 300.0, 100.0, 30.0), NOON)
    assert not motion.left(size, later(0.5))  # its motion is not known
    motion.saw((1180.0, 300.0, 100.0, 30.0), later(0.1))
    assert not motion.left(size, later(0.2))  # it may be missed for a frame
    assert motion.left(size, later(0.35))
    assert not motion.left((720, 5000), later(0.35))
    assert not motion.left((8, 32), later(0.35))  # it was never in such a picture
