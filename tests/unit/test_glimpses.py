"""What the clips with truth showed of the tracker: misread glimpses, two cars with a pause, and a
plate whose many small reads outvoted its few large ones.
"""

from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.tracking import Tracker
from tests.support.judging import PICTURE, frame, read
from tests.support.scenes import texts, watch


def told(*frames, image=PICTURE):
    """What is told of frames at five a second, each a list of reads, and of two seconds more."""
    tracks, tracker = [], Tracker()
    for number, reads in enumerate((*frames, *[[]] * 10)):
        tracks += tracker.add(replace(frame(number, number / 5), image=image), reads)
    tracks += tracker.finish()
    return tracks


def sure(text="7TST001", x=400.0, y=300.0, width=100.0, at=0.0):
    return read(text, x, y, width, confidence=0.99, at=at)


@pytest.mark.parametrize("confidence", [0.32, 0.5, 0.6])
def test_a_doubtful_read_just_before_a_plate_is_read_is_no_vehicle_beside_it(confidence):
    """A car that comes fast is misread once: `PHM6199` stood there, and `DUM1100` was told too."""
    first = read("QXU8866", 380, 290, 110, confidence=confidence)
    tracks = told([first], *([sure(at=number / 5)] for number in range(1, 5)))
    assert [track.reads[-1].text.value for track in tracks] == ["7TST001"]


@pytest.mark.parametrize("confidence", [0.32, 0.6])
def test_a_doubtful_read_of_a_plate_that_drives_off_is_no_vehicle_beside_it(confidence):
    leaving = read("QXU8866", 420, 296, 80, confidence=confidence, at=1.0)
    tracks = told(*([sure(at=number / 5)] for number in range(5)), [leaving])
    assert [track.reads[-1].text.value for track in tracks] == ["7TST001"]


def test_a_plate_half_out_of_the_picture_is_no_vehicle_beside_the_one_that_leaves():
    """It was taken for gone while its last sliver was in view, and that for another vehicle."""
    ways = [(274, 159, 88), (274, 159, 88), (280, 107, 78), (288, 32, 63)]
    reads = [[sure(x=x, y=y, width=width, at=n / 5)] for n, (x, y, width) in enumerate(ways)]
    sliver = [read("111VVV", 291, -6, 55, confidence=0.09, at=0.8)]
    tracks = told(*reads, sliver, image=np.zeros((360, 640, 3), np.uint8))
    assert [track.reads[-1].text.value for track in tracks] == ["7TST001"]


@pytest.mark.parametrize(
    ("first", "shift", "pause"),
    [(0.6, 300.0, 0), (0.6, 0.0, 3), (0.7, 0.0, 0)],
    ids=["beside it", "long before it", "less doubtful"],
)
def test_another_text_that_is_no_glimpse_of_it_stays_another_vehicle(first, shift, pause):
    other = [read("QXU8866", 400 + shift, 300, 100, confidence=first)]
    tracks = told(other, *[[]] * pause, *([sure(at=1 + number / 5)] for number in range(5)))
    assert {track.reads[-1].text.value for track in tracks} == {"7TST001", "QXU8866"}


@pytest.mark.parametrize("before", [0.7, 0.85])
def test_a_like_number_after_a_pause_has_no_read_of_the_car_that_left(before):
    """The first was read once, small, as it drove off; the next of the fleet stands nearer."""

    def scene(at):
        if at < 0.2:
            return [read("7TST001", 430, 295, 60, confidence=before, at=at)]
        return [sure("7TST007", at=at)] if 2.6 <= at < 4 else []

    seen = watch(scene, 9, rate=5)
    assert texts(seen) == ["7TST001", "7TST007"]
    assert all(len(one.read_texts) == 1 for one in seen)


def test_a_plate_that_comes_nearer_is_not_outvoted_by_its_many_small_reads():
    """Read wrong from 50 px on, and right from 75 px on, less surely than the last wrong ones."""

    def scene(at):
        width = 50 + 20 * at
        small = width < 76
        text, confidence = ("7TST0O1", 0.86) if small else ("7TST001", 0.84)
        return [read(text, 400 - width / 2, 300, width, confidence=confidence, at=at)]

    seen = watch(lambda at: scene(at) if at < 2 else [], 9)
    assert texts(seen) == ["7TST001"]
