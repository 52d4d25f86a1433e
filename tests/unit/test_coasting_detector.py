"""The detector rests for a frame while every plate in view is known, and never else."""

from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.tracking import Tracker
from agent.vision.stream.coasting_detector import REST_S, CoastingDetector
from tests.support.judging import frame, read

BOX = read("TST1001").box
COASTED = [replace(BOX, confidence=0.123)]


class Asked:
    def __init__(self, *found):
        self.found, self.moments = found, []

    def find_plates(self, seen):
        self.moments.append(seen.captured.utc)
        return self.found


def looks(moments, *found, known=True):
    """At which of the moments (s) the detector was asked."""
    asked = Asked(*found)
    coasting = CoastingDetector(asked, lambda *_: "its read" if known else None, lambda _: COASTED)
    answers = [coasting.find_plates(frame(0, at)) for at in moments]
    for at, answer in zip(moments, answers, strict=True):
        looked = frame(0, at).captured.utc in asked.moments
        assert answer is (asked.found if looked else COASTED)
    return [at for at in moments if frame(0, at).captured.utc in asked.moments]


def test_of_15_frames_a_second_every_second_one_is_looked_at():
    assert looks([0.0, 0.07, 0.13, 0.2, 0.27], BOX) == [0.0, 0.13, 0.27]


def test_of_few_frames_a_second_each_is():
    moments = [number * REST_S for number in range(5)]
    assert looks(moments, BOX) == moments


def test_while_one_plate_is_not_known_each_is():
    assert looks([0.0, 0.07, 0.13], BOX, known=False) == [0.0, 0.07, 0.13]


@pytest.mark.parametrize("coasted", [[BOX], [COASTED[0], BOX], []])
def test_while_resting_it_is_looked_at_what_must_be_read_and_where_all_have_left(coasted):
    """No place is read that was only reckoned."""
    asked, known = Asked(BOX), ["its read"]
    coasting = CoastingDetector(
        asked, lambda _, box: known[0] if box is BOX else "its read", lambda _: coasted
    )
    coasting.find_plates(frame(0, 0.0))
    known[0] = None
    assert coasting.find_plates(frame(1, 0.07)) is asked.found
    assert len(asked.moments) == 2


def test_a_road_without_a_plate_is_looked_at():
    assert looks([0.0, 0.07, 0.13]) == [0.0, 0.07, 0.13]


@pytest.mark.parametrize("then", [4.99, 4.0, 5.0])
def test_after_a_clock_set_back_it_is_looked_at(then):
    assert looks([5.0, then], BOX)[-1] == then


def test_one_of_two_plates_not_known_is_enough_to_look():
    other = replace(BOX, box=(300.0, 100.0, 80.0, 20.0))
    asked = Asked(BOX, other)
    known = lambda _, box: "its read" if box is BOX else None  # noqa: E731
    coasting = CoastingDetector(asked, known, lambda _: COASTED)
    for at in (0.0, 0.07):
        coasting.find_plates(frame(0, at))
    assert len(asked.moments) == 2


def picture(number, at):
    return replace(frame(number, at), image=np.zeros((360, 640, 3), np.uint8))


def driving(speed_px=60.0):
    """A tracker that has followed one plate for a second, told it, and its last place."""
    tracker, seen = Tracker(), read("TST1001", confidence=0.99)
    x, y, width, height = BOX.box
    for number in range(11):
        box = BOX.moved_to((x + speed_px * number / 10, y, width, height))
        now = picture(number, number / 10)
        tracker.add(now, [replace(seen, box=box, captured=now.captured)])
    return tracker, box


def test_a_vehicle_coasts_where_its_motion_leads_and_is_known_there():
    tracker, last = driving()
    (coasted,) = tracker.coasted(picture(99, 1.05))
    assert coasted.box == pytest.approx((last.box[0] + 3.0, *last.box[1:]), abs=0.5)
    assert coasted.corners[2] == pytest.approx(
        (last.corners[2][0] + 3.0, last.corners[2][1]), abs=0.5
    )
    assert tracker.known(picture(99, 1.05), coasted) is not None


def test_what_was_not_in_the_last_frame_does_not_coast():
    tracker, _ = driving()
    tracker.add(picture(98, 1.05), [])
    assert tracker.coasted(picture(99, 1.1)) == []


@pytest.mark.parametrize(("after_s", "inside"), [(0.1, 1), (0.9, 0)])
def test_what_drives_out_of_the_picture_does_not_coast(after_s, inside):
    tracker, _ = driving(speed_px=260.0)  # its middle is at 410 of 640 px
    assert len(tracker.coasted(picture(99, 1.0 + after_s))) == inside
