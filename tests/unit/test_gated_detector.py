"""The detector behind the gate: asked when the picture changed and once in a while, and never so
that a plate is lost.
"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent import pipeline
from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.reading.voting import vote
from agent.core.time.instant import Instant
from agent.vision.stream.gated_detector import LOOK_EVERY_S, GatedDetector
from agent.vision.stream.luma_gate import LumaGate
from tests.fakes.vision import FakeDetector, FakeGate, FakePlate, FakeReader
from tests.support.street import HEIGHT, START, STREET, WIDTH, frame, plate

PLATE = FakePlate("TEST123", box=(40, 60, 120, 30))
EMPTY = np.zeros((90, 160, 3), np.uint8)


class Asked:
    """A detector that notes which frames it was shown."""

    def __init__(self, script):
        self.detector, self.frames = FakeDetector(script), []

    def find_plates(self, seen):
        self.frames.append(seen.sequence)
        return self.detector.find_plates(seen)


class Told:
    """A gate that opens on the frames of a list, and notes what it is told."""

    def __init__(self, *opens):
        self.opens, self.news = opens, []

    def changed(self, seen):
        return seen.sequence in self.opens

    def looked(self, now, *, news):
        self.news.append(news)


def still(sequence, at_s, image=EMPTY):
    return Frame(image, Instant(START + timedelta(seconds=at_s)), sequence)


def test_while_nothing_changes_the_plates_are_the_same_and_nobody_looks():
    asked = Asked([PLATE])
    gated = GatedDetector(asked, FakeGate())
    found = [gated.find_plates(still(number, number / 15)) for number in range(30)]
    assert asked.frames == [0]
    assert all(boxes is found[0] for boxes in found)
    assert [box.box for box in found[0]] == [PLATE.box]


def test_a_change_is_looked_at_at_once_and_what_has_gone_is_gone():
    asked = Asked(lambda seen: [PLATE] if seen.sequence < 5 else [])
    gated = GatedDetector(asked, FakeGate())
    for number in range(10):
        image = EMPTY if number < 5 else EMPTY + 9
        boxes = gated.find_plates(still(number, number / 15, image))
        assert len(boxes) == (number < 5)
    assert asked.frames == [0, 5]


def test_a_doubtful_plate_that_came_to_rest_is_looked_for_again():
    """A detector that finds it in a fourth of the frames was asked when it stopped, and then not
    for four seconds: the car had left by then.
    """
    asked = Asked(lambda seen: [PLATE] if seen.sequence in (7, 10, 11, 20) else [])
    gated = GatedDetector(asked, Told(1, 2, 3, 4, 5, 6))
    found = [bool(gated.find_plates(still(number, number / 5))) for number in range(21)]
    assert asked.frames == [0, 1, 2, 3, 4, 5, 6, 8, 11, 16]
    assert found.index(True) == 11


def test_a_gust_in_a_tree_is_looked_at_once():
    for opens in ((1,), (1, 2), (1, 4, 7)):
        asked = Asked([])
        gated = GatedDetector(asked, Told(*opens))
        for number in range(20):
            gated.find_plates(still(number, number / 5))
        assert asked.frames == [0, *opens]


def test_what_came_unseen_is_found_by_the_slow_rhythm():
    """It crept, or it stood there at the start and was missed: the gate never opens for it."""
    asked = Asked(lambda seen: [PLATE] if seen.sequence >= 20 else [])
    gated = GatedDetector(asked, Told())
    found = [bool(gated.find_plates(still(number, number / 5))) for number in range(60)]
    assert asked.frames == [0, 20, 40]
    assert found.index(True) / 5 <= 20 / 5 + LOOK_EVERY_S


def test_a_clock_set_back_is_a_reason_to_look():
    asked = Asked([])
    gated = GatedDetector(asked, Told())
    for number, at_s in enumerate((100, 100.1, 3, 3.1)):
        gated.find_plates(still(number, at_s))
    assert asked.frames == [0, 2]


@pytest.mark.parametrize(
    ("after", "news"),
    [
        ([PLATE], False),
        ([replace(PLATE, box=(42, 60, 120, 30))], False),
        ([replace(PLATE, box=(140, 60, 120, 30))], True),
        ([], True),
        ([PLATE, replace(PLATE, box=(10, 120, 90, 30))], True),
    ],
)
def test_the_gate_hears_whether_the_look_brought_anything_new(after, news):
    gate = Told(0, 1)
    gated = GatedDetector(FakeDetector(lambda seen: after if seen.sequence else [PLATE]), gate)
    for number in (0, 1):
        gated.find_plates(still(number, number / 15))
    assert gate.news[1] == news


@st.composite
def passes(draw):
    """A car's way through the frame: its left and its speed in px a frame, its grey, its size."""
    wide = draw(st.integers(40, 260))
    speed = draw(st.sampled_from([-60, -25, -8, -3, 3, 8, 25, 60]))
    return {
        "wide": wide,
        "top": draw(st.integers(0, HEIGHT - 40)),
        "speed": speed,
        "left": -wide if speed > 0 else WIDTH,
        "grey": draw(st.sampled_from([30, 60, 85, 120, 160, 230])),
        "starts": draw(st.integers(1, 60)),
    }


def drawn(one, number):
    """The frame with the car, and its plate's box where the whole plate is inside."""
    picture, left = STREET.copy(), one["left"] + one["speed"] * (number - one["starts"])
    high = max(24, one["wide"] * 2 // 3)
    if number >= one["starts"]:
        picture[one["top"] : one["top"] + high, max(0, left) : max(0, left + one["wide"])] = one[
            "grey"
        ]
    width = max(14, one["wide"] // 4)
    x, y = left + one["wide"] / 2, one["top"] + high * 0.6
    box = (x - width / 2, y - width / 4, float(width), width / 2)
    inside = box[0] >= 0 and x + width / 2 <= WIDTH and y + width / 4 <= HEIGHT
    if number < one["starts"] or not inside:
        return frame(picture, number), []
    return frame(plate(picture, x, y, width, width / 2), number), [FakePlate("TEST123", box=box)]


def told(frames, script, gate):
    """Every text that the tracker tells, in order, and how many frames were looked at."""
    asked = Asked(lambda seen: script[seen.sequence])
    detector = GatedDetector(asked, gate) if gate else asked
    tracker, reader = Tracker(), FakeReader(lambda seen: script[seen.sequence])
    tracks = [
        track
        for seen in frames
        for track in tracker.add(seen, pipeline.plates_in(detector, reader, seen))
    ]
    return [
        (sighting.text.value, sighting.frames)
        for sighting in (vote(track, "CAM-01") for track in (*tracks, *tracker.finish()))
    ], len(asked.frames)


@given(passes())
@settings(max_examples=12, deadline=None)
def test_no_readable_pass_is_lost_behind_the_gate(one):
    shown = [drawn(one, number) for number in range(75)]
    frames, script = [seen for seen, _ in shown], [plates for _, plates in shown]
    without, looks = told(frames, script, None)
    behind, fewer = told(frames, script, LumaGate())
    assert behind == without
    assert fewer <= looks
