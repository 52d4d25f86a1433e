"""Text over the picture: marked once the scene has moved behind it, and no parked car's plate."""

from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.reasons import Limit
from agent.vision.stream.overlay_finder import OverlayFinder
from tests.fakes.vision import FakeDetector, FakePlate
from tests.support.judging import frame, instant, read

WIDTH, HEIGHT = 320, 180
MIDDLE, CORNER = (100, 80, 90, 20), (228, 158, 90, 20)
PLATE = np.random.default_rng(1).integers(0, 255, (20, 90), np.uint8)


def scene(number, at, *, plate=PLATE, level=1.0, light=1.0):
    """A picture whose every part has another grey in each frame, and a plate over it."""
    grey = np.full((HEIGHT, WIDTH), 40 + 50 * (number % 4) * level)
    x, y, width, height = at
    grey[y : y + height, x : x + width] = plate
    return np.clip(np.repeat(grey[:, :, None] * light, 3, 2), 0, 255).astype(np.uint8)


def found(at, pictures):
    """The limits of the one box in each picture."""
    finder = OverlayFinder(FakeDetector([FakePlate("CAM0501", box=at)]))
    return [
        finder.find_plates(Frame(picture, instant(number / 5), number))[0].limits
        for number, picture in enumerate(pictures)
    ]


@pytest.mark.parametrize("at", [MIDDLE, CORNER], ids=["middle", "corner"])
def test_text_that_stays_while_the_scene_moves_is_an_overlay(at):
    limits = found(at, [scene(number, at) for number in range(6)])
    assert limits[:3] == [frozenset()] * 3
    assert limits[3:] == [{Limit.OVERLAY}] * 3


def parked(number, at=MIDDLE):
    """Things go by to the left and to the right of it, never on both sides at once."""
    picture = scene(0, at)
    x, y, width, height = at
    if number % 3:
        side = slice(x - 30, x - 4) if number % 3 == 1 else slice(x + width + 4, x + width + 30)
        picture[y - 30 : y + height + 30, side] = 60 + 17 * (number % 7)
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        parked,
        lambda _number: scene(0, MIDDLE),
        lambda number: scene(0, MIDDLE, light=0.4 + 0.1 * (number % 6)),
        lambda number: scene(number, MIDDLE, plate=PLATE // (1 + number % 4)),
        lambda number: scene(number % 2, MIDDLE),
    ],
    ids=["passers-by", "at rest", "the light", "it changes too", "one other scene"],
)
def test_a_parked_car_s_plate_is_none(picture):
    assert found(MIDDLE, [picture(number) for number in range(40)]) == [frozenset()] * 40


def test_what_moves_takes_no_place_in_memory():
    finder = OverlayFinder(
        FakeDetector(lambda seen: [FakePlate("TEST123", box=(10 + 2 * seen.sequence, 60, 9, 5))])
    )
    for number in range(20):
        finder.find_plates(Frame(scene(0, MIDDLE), instant(number / 5), number))
    assert finder._places == []


def test_plates_at_other_places_are_none_though_an_overlay_is_there():
    finder = OverlayFinder(
        FakeDetector(
            lambda seen: [
                FakePlate("CAM0501", box=CORNER),
                FakePlate("TEST123", box=(20 + 12 * seen.sequence, 60, 90, 20)),
            ]
        )
    )
    for number in range(12):
        picture = scene(number, CORNER)
        boxes = finder.find_plates(Frame(picture, instant(number / 5), number))
    limits = {box.box[0]: box.limits for box in boxes}
    assert limits == {CORNER[0]: {Limit.OVERLAY}, 20 + 12 * 11: frozenset()}


def test_memory_is_bounded():
    finder = OverlayFinder(
        FakeDetector(lambda seen: [FakePlate("TEST123", box=(10 + seen.sequence // 2, 60, 9, 5))])
    )
    for number in range(200):
        finder.find_plates(Frame(scene(0, MIDDLE), instant(number / 5), number))
    assert len(finder._places) == 32


def test_what_is_known_for_an_overlay_takes_its_first_reads_with_it():
    """It was read surely twice before the scene had moved enough."""
    tracker, told = Tracker(), []
    for number in range(12):
        one = read("PWD0501", confidence=0.95, at=number / 5)
        if number >= 2:
            one = replace(one, confidence=0.5, limits=frozenset({Limit.OVERLAY}))
        told += tracker.add(frame(number, number / 5), [one])
    (track,) = told + tracker.finish()
    assert all(one.limits == {Limit.OVERLAY} for one in track.reads)
