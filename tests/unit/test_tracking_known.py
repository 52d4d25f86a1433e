"""What the tracker knows of a box unread: only from one frame to the next, only of what was told
surely, and never for long.
"""

from dataclasses import replace

import pytest

from agent.core.reading.tracking import Tracker, Tracking
from tests.support.judging import frame, read

NUMBERS = Tracking()


def followed(*, until_s=1.0, rate=10, confidence=0.99):
    """A tracker that has seen one standing plate in every frame up to that moment, and its read."""
    tracker, seen = Tracker(), read("TST1001", confidence=confidence)
    for number in range(round(until_s * rate) + 1):
        at = number / rate
        tracker.add(frame(number, at), [replace(seen, captured=frame(0, at).captured)])
    return tracker, seen


def known(tracker, seen, at):
    return tracker.known(frame(99, at), seen.box)


def test_what_was_told_is_known_in_its_place_with_the_time_of_its_read():
    tracker, seen = followed()
    moved = replace(seen.box, box=(105.0, 100.0, *seen.box.box[2:]))
    found = tracker.known(frame(99, 1.1), moved)
    assert (found.text, found.box) == (seen.text, moved)
    assert found.captured.utc <= frame(0, 1.0).captured.utc


def test_another_place_is_not_known():
    tracker, seen = followed()
    beside = replace(seen.box, box=(190.0, 100.0, *seen.box.box[2:]))
    assert tracker.known(frame(99, 1.1), beside) is None


def test_what_was_not_told_yet_is_not_known():
    tracker, seen = followed(until_s=0.0)
    assert known(tracker, seen, 0.1) is None


def unread(tracker, seen, at_s):
    """For how many frames, ten a second, the tracker knows the plate without a read."""
    for number in range(1, 100):
        found = known(tracker, seen, at_s + number / 10)
        if found is None:
            return number - 1
        tracker.add(frame(900 + number, at_s + number / 10), [found])
    return 100


def test_now_and_then_it_must_be_read_all_the_same():
    assert 0 < unread(*followed(), 1.0) <= NUMBERS.known_s * 10


def test_what_was_told_unsurely_is_read_more_often():
    """It is told once more when it is sure."""
    just_told = followed(until_s=NUMBERS.max_wait_s, confidence=0.6)
    assert known(*just_told, NUMBERS.max_wait_s + 0.1) is None
    assert (
        0 < unread(*followed(until_s=18.0, confidence=0.6), 18.0) <= NUMBERS.standing_known_s * 10
    )


def test_a_frame_without_it_and_it_must_be_read():
    tracker, seen = followed()
    tracker.add(frame(20, 1.1), [])
    assert known(tracker, seen, 1.2) is None


def test_a_long_time_between_two_frames_and_it_must_be_read():
    tracker, seen = followed()
    assert known(tracker, seen, 1.0 + NUMBERS.known_gap_s) is not None
    assert known(tracker, seen, 1.05 + NUMBERS.known_gap_s) is None


def test_a_clock_set_back_and_it_must_be_read():
    tracker, seen = followed()
    assert known(tracker, seen, 0.5) is None


@pytest.mark.parametrize("other", ["TST1009", "XYZ7777"])
def test_a_read_that_contradicts_is_followed_by_others(other):
    tracker, seen = followed()
    tracker.add(frame(20, 1.1), [replace(read(other), captured=frame(0, 1.1).captured)])
    assert known(tracker, seen, 1.2) is None


def unsure(*, reads):
    """A tracker that has read a moving plate so often, 15 times a second, never surely."""
    tracker = Tracker()
    for number in range(reads):
        seen = read("TST1001", x=100.0 + 20.0 * number, confidence=0.6)
        at = number / 15
        tracker.add(frame(number, at), [replace(seen, captured=frame(0, at).captured)])
    return tracker, read("TST1001", x=100.0 + 20.0 * reads)


def test_what_does_not_get_sure_is_read_in_every_third_of_15_frames():
    reads = NUMBERS.often
    tracker, seen = unsure(reads=reads)
    found = known(tracker, seen, reads / 15)
    assert found is not None
    tracker.add(frame(reads, reads / 15), [found])
    seen = read("TST1001", x=seen.box.box[0] + 20.0)
    assert known(tracker, seen, (reads + 1) / 15) is not None
    tracker.add(frame(reads + 1, (reads + 1) / 15), [known(tracker, seen, (reads + 1) / 15)])
    seen = read("TST1001", x=seen.box.box[0] + 20.0)
    assert known(tracker, seen, (reads + 2) / 15) is None


def test_until_then_it_is_read_in_every_frame():
    reads = NUMBERS.often - 1
    assert known(*unsure(reads=reads), reads / 15) is None


@pytest.mark.parametrize(("x", "awaited"), [(105.0, True), (400.0, False)])
def test_a_vehicle_is_awaited_where_it_was(x, awaited):
    tracker, seen = followed()
    box = replace(seen.box, box=(x, *seen.box.box[1:]))
    assert tracker.awaits(frame(99, 1.1), box) is awaited


def test_what_was_not_in_the_last_frame_is_not_awaited():
    tracker, seen = followed()
    tracker.add(frame(20, 1.1), [])
    assert not tracker.awaits(frame(99, 1.2), seen.box)
