"""The bench of a simulated day: frames in order of time, and the memory after each ten minutes."""

from itertools import pairwise

from bench.watch_day import EVERY, HEIGHT_PX, WIDTH_PX, Day


def test_the_day_is_sent_in_order_and_memory_is_taken_each_ten_minutes():
    sizes, sent = iter([150.0, 151.0]), []
    day = Day(2, lambda data: sent.append(bytes(data[:8])), lambda: next(sizes))
    day.play()
    times_s = [int.from_bytes(at) / 1000 for at in sent[::2]]  # between them the pixels
    assert all(before < after for before, after in pairwise(times_s))
    assert 1.9 * EVERY.total_seconds() < times_s[-1] < 2 * EVERY.total_seconds()
    assert max(after - before for before, after in pairwise(times_s)) <= 40
    assert (day.memory, day.frames) == ([150.0, 151.0], len(times_s))


def test_a_frame_is_its_time_and_all_its_pixels():
    sizes = []
    day = Day(1, lambda data: sizes.append(memoryview(data).nbytes), lambda: 0.0)
    day.play()
    assert set(sizes[::2]) == {8}
    assert set(sizes[1::2]) == {HEIGHT_PX * WIDTH_PX * 3}
