"""The bench of a simulated day: frames in order of time, and the memory after each ten minutes."""

from datetime import timedelta
from itertools import pairwise

from bench.watch_day import EVERY, Day, resident_mb


def test_the_day_goes_on_in_order_and_its_memory_is_taken_each_ten_minutes():
    sizes = iter([150.0, 151.0])
    day = Day(1 / 3, lambda: next(sizes))
    frames = list(day.frames())
    times = [frame.captured.utc for frame in frames]
    assert all(before < after for before, after in pairwise(times))
    assert 1.9 * EVERY < times[-1] - times[0] < 2 * EVERY
    assert max(after - before for before, after in pairwise(times)) <= timedelta(seconds=40)
    assert [frame.sequence for frame in frames] == list(range(1, len(frames) + 1))
    assert (day.memory, day.frames_shown) == ([150.0, 151.0], len(frames))


def test_memory_is_this_process_s_in_mb():
    assert 20 < resident_mb() < 4000
