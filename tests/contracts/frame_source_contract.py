"""What every frame source must do, whatever it reads.

Runs over the fake, the files, and (in tests/picamera and hw_tests) over real cameras.
"""

from datetime import UTC
from itertools import islice

import numpy as np

ENOUGH = 3


class FrameSourceContract:
    """Subclasses give the fixture `source`: an open source of pictures whose left half is red and
    whose right half is blue.
    """

    def test_a_frame_is_height_by_width_by_bgr_bytes(self, source):
        frame = next(source.frames())
        height, width, channels = frame.image.shape
        assert (frame.image.dtype, channels) == (np.uint8, 3)
        left = frame.image[height // 2, width // 4].astype(int)
        right = frame.image[height // 2, width * 3 // 4].astype(int)
        assert left[2] > left[0] + 100, "red must lie in channel 2, on the left"
        assert right[0] > right[2] + 100, "blue must lie in channel 0, on the right"

    def test_frames_are_numbered_from_zero_in_order(self, source):
        assert [frame.sequence for frame in islice(source.frames(), ENOUGH)] == list(range(ENOUGH))

    def test_times_are_utc_and_never_run_backwards(self, source):
        times = [frame.captured.utc for frame in islice(source.frames(), ENOUGH)]
        assert all(time.tzinfo is UTC for time in times)
        assert times == sorted(times)

    def test_a_kept_frame_stays_as_it_was(self, source):
        """A source that reuses a buffer would change the picture of a plate after the fact."""
        frames = source.frames()
        first = next(frames)
        before = first.image.copy()
        next(frames)
        assert np.array_equal(first.image, before)
        assert first.image.flags.writeable or first.image.base is None

    def test_closing_ends_the_frames(self, source):
        frames = source.frames()
        next(frames)
        source.close()
        assert len(list(islice(frames, ENOUGH))) <= 1

    def test_closing_twice_is_allowed(self, source):
        source.close()
        source.close()
