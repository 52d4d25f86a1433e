"""A plate is paid for once: what was told is followed unread, what stands still is read a few
times, and no car is lost or taken for another by it.
"""

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agent import pipeline
from agent.core.reading.sighting import Frame
from agent.core.reading.tracking import Tracker
from agent.core.reading.voting import vote
from agent.core.time.instant import Instant
from agent.vision.stream.following_reader import READS_A_LOOK, FollowingReader
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.support.street import START

PICTURE = np.full((720, 1280, 3), 90, np.uint8)
FPS = 15


class Asked:
    """A reader that counts how often it reads."""

    def __init__(self, script):
        self.reader, self.times = FakeReader(script), 0

    def read(self, frame, box):
        self.times += 1
        return self.reader.read(frame, box)


def frame(number, fps=FPS):
    at = Instant(START + timedelta(milliseconds=round(1000 * number / fps)))
    return Frame(PICTURE, at, number)


def nothing_known(frame, box):
    return None


def run(script, count, *, following=True, fps=FPS):
    """The texts that are told, with the frame in which; and how many reads it took."""
    tracker, asked, detector = Tracker(), Asked(script), FakeDetector(script)
    reader = FollowingReader(asked, tracker.known) if following else asked
    told = []
    for number in range(count):
        seen = frame(number, fps)
        tracks = tracker.add(seen, pipeline.plates_in(detector, reader, seen))
        told += [(vote(track, "CAM-01").text.value, number) for track in tracks]
    told += [(vote(track, "CAM-01").text.value, count) for track in tracker.finish()]
    return told, asked.times


def driving(text, start, speed, y=300.0, x=100.0):
    """A plate that moves by so many px a frame, from frame `start` on."""
    return lambda number: (
        [FakePlate(text, box=(x + speed * (number - start), y, 90.0, 30.0), confidence=0.99)]
        if number >= start and 0 <= x + speed * (number - start) <= 1180
        else []
    )


def together(*cars):
    return lambda seen: [plate for car in cars for plate in car(seen.sequence)]


def test_a_told_car_is_followed_unread():
    script = together(driving("TST1001", 0, 12))
    told, reads = run(script, 90)
    assert [text for text, _ in told] == ["TST1001"]
    assert (told, reads < 90 / 2) == (run(script, 90, following=False)[0], True)


def test_a_parked_car_is_read_now_and_then():
    told, reads = run(together(driving("TST1001", 0, 0)), 900)
    assert [text for text, _ in told] == ["TST1001"]
    assert reads < 900 / 15


@pytest.mark.parametrize("speed", [0, 2])
def test_the_next_car_on_the_same_spot_is_read_soon(speed):
    """Even where nobody saw one go and the other come."""
    one, other = driving("TST1001", 0, speed), driving("TST9988", 0, speed)
    script = together(lambda number: (one if number < 60 else other)(number))
    told, _ = run(script, 150)
    assert [text for text, _ in told] == ["TST1001", "TST9988"]
    assert told[1][1] <= 60 + 4 * FPS


@given(
    st.lists(
        st.tuples(
            st.integers(0, 60),
            st.sampled_from([-40, -12, -3, 0, 3, 12, 40]),
            st.integers(0, 14),
            st.integers(0, 1100),
        ),
        min_size=1,
        max_size=6,
        unique_by=lambda car: car[2],
    ),
    st.sampled_from([3, 8, 15, 30]),
)
@example([(0, -40, 3, 0), (1, 0, 2, 0)], 3)  # it was told a frame later
@settings(max_examples=40, deadline=None)
def test_the_same_cars_are_told_followed_or_not(cars, fps):
    """Lanes apart: whatever the speeds, each text is told as often, and in the same frame."""
    script = together(
        *(
            driving(f"TST{1000 + 37 * row}", start, speed, y=40.0 + 44 * row, x=float(x))
            for start, speed, row, x in cars
        )
    )
    followed, reads = run(script, 120, fps=fps)
    each, all_reads = run(script, 120, following=False, fps=fps)
    assert followed == each
    assert reads <= all_reads


def test_a_standing_plate_that_stays_doubtful_is_read_twice_a_second():
    """While something else moves, so that the detector looks at every frame."""
    doubtful = FakePlate("TST1001", box=(400.0, 300.0, 90.0, 30.0), confidence=0.6)
    _, first = run(lambda seen: [doubtful], 60)
    told, reads = run(lambda seen: [doubtful], 360)
    assert reads - first < (360 - 60) / FPS * 2 + 15
    assert [text for text, _ in told] == ["TST1001"]


def test_a_doubtful_plate_that_moves_is_read_in_every_frame_at_first_and_then_in_every_third():
    script = together(
        lambda number: [
            replace(plate, confidence=0.6) for plate in driving("TST1001", 0, 12)(number)
        ]
    )
    assert run(script, 5)[1] == 5
    assert run(script, 80)[1] == 5 + 25


def test_a_box_that_nobody_looked_at_anew_is_read_a_few_times():
    """A sign, or a plate that nobody can read: it must not cost a read in every frame."""
    sign = FakePlate("", box=(10.0, 20.0, 90.0, 30.0))
    box, asked = sign.plate_box(), Asked([sign])
    reader = FollowingReader(asked, nothing_known)
    reads = [reader.read(frame(number), box) for number in range(60)]
    assert asked.times == READS_A_LOOK
    assert all(read is reads[READS_A_LOOK - 1] for read in reads[READS_A_LOOK:])
    anew = replace(box)
    reader.read(frame(60), anew)
    assert asked.times == READS_A_LOOK + 1


def test_of_two_boxes_each_has_its_own_read():
    plates = [FakePlate("TST1001", box=(10.0, 20.0, 90.0, 30.0)), FakePlate("TST2002")]
    boxes, asked = [plate.plate_box() for plate in plates], Asked(plates)
    reader = FollowingReader(asked, nothing_known)
    for number in range(20):
        seen = [reader.read(frame(number), box).text.value for box in boxes]
        assert seen == ["TST1001", "TST2002"]
    assert asked.times == 2 * READS_A_LOOK


def test_reads_that_are_given_again_are_no_more_votes():
    """Eight reads of one standing picture must not become a hundred."""
    doubtful = FakePlate("TST1001", box=(10.0, 20.0, 90.0, 30.0), confidence=0.6)
    box, tracker = doubtful.plate_box(), Tracker()
    reader = FollowingReader(FakeReader([doubtful]), tracker.known)
    tracks = []
    for number in range(60):
        tracks += tracker.add(frame(number), [reader.read(frame(number), box)])
    (track,) = [*tracks, *tracker.finish()]
    assert len(track.reads) == READS_A_LOOK
