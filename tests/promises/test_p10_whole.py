"""P10: nothing is sure of which less than a whole plate was seen.

The real networks look at drawn, fictitious cars, whole and spoilt. What is left of a cut text is
another car's, and a clear one: these pictures were told with 0.99 before.

Broken by hand to see it fail: the reader's cap left out; the distance to the edge taken as 0; the
masks not looked at; a word without a digit let through; every plate taken for whole; no look with
sides exchanged; the network's second answer left out.
"""

import cv2
import numpy as np
import pytest

from agent.camera.masked_source import ZonedDetector, masked
from agent.core.camera.view import View
from agent.core.reading.sighting import MOST_WHEN_LIMITED, Frame, Track
from agent.core.reading.voting import vote
from agent.core.reasons import Limit
from agent.pipeline import plates_in
from agent.vision.model_loader import load_vision
from bench.cause_frames import CAUSES, scenes
from bench.causes import best_at
from tests.support.drawn import drawn_car
from tests.support.judging import instant

CARS = ("3FPA826", "5HTC730", "2HNB684")
SURE = 0.9
# Where the drawn plate lies in its picture, px: left, top, right, bottom.
LEFT, TOP, RIGHT, BOTTOM = 251, 268, 389, 334
(STACKED,) = (cause for cause in CAUSES if cause.name == "stacked")
SHARES = (0.08, 0.15, 0.25, 0.35, 0.45)


@pytest.fixture(scope="module")
def vision():
    return load_vision()


def reads(vision, image, masks=()):
    detector, reader = vision
    zoned = ZonedDetector(detector, View((), masks))
    return plates_in(zoned, reader, Frame(masked(image, masks), instant(), 0))


def cut_pictures(image):
    for share in SHARES:
        x, y = round(share * (RIGHT - LEFT)), round(share * (BOTTOM - TOP))
        yield image[:, LEFT + x :]
        yield image[:, : RIGHT - x]
        yield image[TOP + y :]
        yield image[: BOTTOM - y]


@pytest.mark.parametrize("car", CARS)
def test_the_whole_plate_is_sure(vision, car):
    (seen,) = reads(vision, drawn_car(car))
    assert seen.text.value == car
    assert seen.confidence >= SURE
    assert seen.limits == frozenset()
    (x, y, width, height) = seen.box.box
    assert (x, y, x + width, y + height) == pytest.approx((LEFT, TOP, RIGHT, BOTTOM), abs=4)


@pytest.mark.parametrize("car", CARS)
def test_a_plate_that_the_frames_edge_cuts_is_never_sure(vision, car):
    seen = [
        read
        for part in cut_pictures(drawn_car(car))
        for read in reads(vision, np.ascontiguousarray(part))
    ]
    assert len([read for read in seen if len(read.text) >= 4]) > len(SHARES), "they are legible"
    for read in seen:
        assert read.confidence <= MOST_WHEN_LIMITED
        assert Limit.CUT_BY_EDGE in read.limits


@pytest.mark.parametrize("car", CARS)
def test_a_plate_that_a_mask_cuts_is_never_sure(vision, car):
    image = drawn_car(car)
    width = image.shape[1]
    seen = []
    for share in SHARES:
        x = (LEFT + share * (RIGHT - LEFT)) / width
        seen += reads(vision, image, (((0.0, 0.0), (x, 0.0), (x, 1.0), (0.0, 1.0)),))
        x = (RIGHT - share * (RIGHT - LEFT)) / width
        seen += reads(vision, image, (((x, 0.0), (1.0, 0.0), (1.0, 1.0), (x, 1.0)),))
    assert len([read for read in seen if len(read.text) >= 4]) > len(SHARES)
    for read in seen:
        assert read.confidence <= MOST_WHEN_LIMITED
        assert Limit.CUT_BY_MASK in read.limits


def behind(image, x, width, grey):
    """Something as wide as that stands before the car, from top to bottom."""
    hidden = image.copy()
    cv2.rectangle(hidden, (x, 60), (x + width, 440), (grey, grey, grey), -1)
    return hidden


def hidden_pictures(image):
    wide = RIGHT - LEFT
    for grey in (15, 70, 180):
        for share in SHARES[1:]:
            yield behind(image, LEFT - 40, 40 + round(share * wide), grey)
            yield behind(image, RIGHT - round(share * wide), 300, grey)
        for x in np.linspace(LEFT, RIGHT - 20, 5).astype(int).tolist():
            yield behind(image, x, 20, grey)


def test_a_plate_that_something_hides_in_part_is_seldom_told_as_another_car(vision):
    """Where nothing is looked at but the text, more than one in six of these pictures is told with
    0.9 and more, each of them wrongly.

    Posts of the car's own grey are the worst: nothing but the text and the plate's shape tells.
    """
    told = [
        (car, read)
        for car in CARS
        for part in hidden_pictures(drawn_car(car))
        for read in reads(vision, part)
    ]
    wrong = [read for car, read in told if read.confidence >= SURE and read.text.value != car]
    assert len(told) > 90
    assert len(wrong) < 0.03 * len(told)
    assert any(Limit.HIDDEN in read.limits for _, read in told)


def test_letters_one_above_the_other_that_were_left_out_make_no_sure_text(vision):
    """They belong to the number: without them it is another car's. Of these, 6 or 7 were told with
    0.9 and more, by the fonts there are, and then 2; now none is.
    """
    told = [
        (scene.text, best_at(plates_in(*vision, scene.frame), scene))
        for seed in (3, 7)
        for scene in scenes(STACKED, 60, seed)
    ]
    seen = [(text, read) for text, read in told if read is not None]
    wrong = [text for text, read in seen if read.confidence >= SURE and read.text.value != text]
    assert len(seen) > 100
    assert len(wrong) <= 1


@pytest.mark.parametrize("car", ["8HH1188", "TAM8H01", "2HNB684", "5HTC730", "WTM8801", "3SET103"])
def test_a_mirrored_plate_is_never_sure(vision, car):
    """But for a text of characters that are all their own mirror image: nothing tells it."""
    for seen in reads(vision, np.ascontiguousarray(drawn_car(car)[:, ::-1])):
        assert seen.confidence < SURE


def test_no_number_of_frames_makes_a_cut_plate_sure(vision):
    image = drawn_car(CARS[0])[:, LEFT + 30 :]
    seen = [
        read for moved in range(10) for read in reads(vision, np.ascontiguousarray(image[moved:]))
    ]
    assert len(seen) >= 8
    found = vote(Track(1, tuple(seen)), "cam-1")
    assert 0 < found.confidence <= MOST_WHEN_LIMITED, "by how many views, the vote decides"
    assert found.limits == {Limit.CUT_BY_EDGE}


@pytest.mark.parametrize("word", ["PARCEL", "EXPRESS", "MONDAY", "BAKERY"])
def test_a_word_without_a_digit_is_never_sure(vision, word):
    (seen,) = reads(vision, drawn_car(word))
    assert seen.text.value == word, "it is read"
    assert seen.confidence <= MOST_WHEN_LIMITED
    assert Limit.NO_DIGIT in seen.limits


@pytest.mark.parametrize("wording", ["SPEED30", "EXIT25", "ROUTE66", "UNIT113", "TAXI55", "CAM05"])
def test_what_signs_and_overlays_write_is_never_sure(vision, wording):
    (seen,) = reads(vision, drawn_car(wording))
    alike = str.maketrans("OI", "01")
    assert seen.text.value.translate(alike) == wording.translate(alike), "it is read"
    assert seen.confidence <= MOST_WHEN_LIMITED
    assert Limit.WORDING in seen.limits
