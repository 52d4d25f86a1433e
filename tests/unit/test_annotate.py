"""The drawing of what was read: inside the picture, and never on the original."""

import numpy as np
import pytest

from agent.core.reading.sighting import Frame
from agent.core.time.instant import Instant
from agent.vision.annotate import READ_BGR, UNREAD_BGR, annotate
from tests.fakes.clock import START
from tests.fakes.vision import FakePlate, FakeReader


def drawn(plate, size=(200, 300)):
    image = np.zeros((*size, 3), np.uint8)
    frame = Frame(image, Instant(START), 0)
    return image, annotate(image, [FakeReader([plate]).read(frame, plate.plate_box())])


def count(image, colour):
    return int((np.abs(image.astype(int) - colour).max(axis=2) < 20).sum())


def test_the_original_stays_as_it_was():
    original, picture = drawn(FakePlate("TEST12", box=(50, 80, 120, 40)))
    assert not original.any()
    assert picture.any()


def test_corners_and_text_are_there():
    _original, picture = drawn(FakePlate("TEST12", box=(50, 80, 120, 40)))
    assert count(picture[78:122, 48:172], READ_BGR) > 250, "the outline"
    assert count(picture[40:78, 48:172], READ_BGR) > 60, "the text, above the plate"


def test_a_plate_that_was_not_read_has_its_own_colour():
    _original, picture = drawn(FakePlate("", box=(50, 80, 120, 40)))
    assert count(picture, UNREAD_BGR) > 250
    assert count(picture, READ_BGR) == 0


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 120, 20),
        (250, 5, 50, 12),
        (-20, 190, 100, 30),
        (280, 180, 20, 20),
        (0, 0, 300, 200),
        (10, 10, 1, 1),
    ],
)
def test_at_the_edges_it_still_draws_and_never_fails(box):
    _original, picture = drawn(FakePlate("TEST12", box=box))
    assert picture.shape == (200, 300, 3)
    assert picture.any()


def test_a_plate_at_the_top_has_its_text_below():
    _original, picture = drawn(FakePlate("TEST12", box=(50, 0, 120, 30)))
    assert count(picture[34:70], READ_BGR) > 60
