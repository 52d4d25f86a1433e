"""The camera delivers: the frame source contract on this very camera, whole pictures of the right
size, at a rate that is written down.
"""

import time
from itertools import islice, pairwise

import numpy as np
import pytest

from tests.contracts.frame_source_contract import FrameSourceContract

pytestmark = pytest.mark.hardware


class TestContract(FrameSourceContract):
    """On a real scene nobody knows the colours: only the shape is checked."""

    def test_a_frame_is_height_by_width_by_bgr_bytes(self, source):
        frame = next(source.frames())
        assert (frame.image.ndim, frame.image.shape[2], frame.image.dtype) == (3, 3, np.uint8)


def test_every_frame_has_the_configured_size(source, hw_spec, hw_settings, frame_count):
    sizes = {frame.image.shape[:2] for frame in islice(source.frames(), frame_count)}
    assert len(sizes) == 1
    if hw_spec == "picamera" or hw_spec.startswith("usb:"):
        assert sizes == {(hw_settings.camera.height // 2 * 2, hw_settings.camera.width // 2 * 2)}


def test_times_increase(source, frame_count):
    times = [frame.captured.utc for frame in islice(source.frames(), frame_count)]
    assert len(times) == frame_count
    assert all(later > earlier for earlier, later in pairwise(times)), (
        "two frames of one moment: is an old frame delivered twice?"
    )


def test_the_picture_is_neither_black_nor_blown_out_nor_frozen(source, frame_count):
    frames = list(islice(source.frames(), frame_count))
    for frame in frames:
        assert 4 < frame.image.mean() < 251, (
            "is the lens cap on, or the exposure fixed too short or too long?"
        )
        assert frame.image.std() > 4, "a picture without any structure"
    assert any(not np.array_equal(frames[0].image, frame.image) for frame in frames[1:]), (
        "all frames are the same picture: a frozen sensor repeats itself"
    )


def test_frame_rate(source, frame_count, request, record_testsuite_property):
    """Recorded always (JUnit suite property frames_per_second); asserted with --hw-min-fps."""
    frames = source.frames()
    next(frames)  # opening the stream is not its rate
    begun_s = time.monotonic()
    count = sum(1 for _frame in islice(frames, frame_count))
    rate = count / (time.monotonic() - begun_s)
    record_testsuite_property("frames_per_second", round(rate, 1))
    print(f"\n{rate:.1f} frames a second over {count} frames")
    assert count > 0
    assert rate >= request.config.getoption("--hw-min-fps")
