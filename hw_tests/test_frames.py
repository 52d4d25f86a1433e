"""The rig's camera delivers: whole, living pictures, in order, at a rate that is written down."""

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(200)]


def test_played_frames_arrive_in_order(world, frame_count, figure):
    """The played street through the camera's own software: every environment can do this."""
    found = world.device.probe("frames", "--source", world.street, "--frames", str(frame_count))
    assert found["frames"] == 5, "six pictures are played, and the first opens the stream"
    assert (found["backwards"], found["frozen"]) == (0, False)
    assert 4 < found["mean"] < 251


@pytest.mark.lg_feature("camera")
def test_the_sensor_delivers(device, frame_count, figure, tmp_path_factory):
    """Times come from the sensor's own clock: none may stand still or run backwards, and none may
    be missing.
    """
    if device.options.screen.startswith("virtual:"):
        show_moving_pictures(device, tmp_path_factory.mktemp("screen"))
    found = device.probe(
        "frames",
        "--source",
        device.options.source,
        "--config",
        device.options.config,
        "--frames",
        str(max(frame_count, 60)),
    )
    figure("frame rate", found["fps"], "fps")
    figure("longest gap between frames", found["longest_gap_ms"], "ms")
    assert (found["backwards"], found["still"]) == (0, 0), (
        "two frames of one moment: is an old frame delivered twice?"
    )
    assert not found["frozen"], "a frozen sensor repeats itself"
    assert 4 < found["mean"] < 251, (
        "is the lens cap on, or the exposure fixed too short or too long?"
    )
    assert found["deviation"] > 4, "a picture without any structure"
    assert found["longest_gap_ms"] < 5 * found["median_gap_ms"], "frames are missing in between"
    if device.options.judged:
        assert found["fps"] >= device.options.min_fps


def show_moving_pictures(device, folder):
    """A virtual camera that plays one picture is rightly called frozen."""
    import cv2

    from hw_tests.rig import chart, screen

    page, picture = next(chart.pages())
    shown = screen.screen_of(device, folder)
    shown.show(page, picture)
    cv2.imwrite(
        str(folder / "frame.jpg"), screen.through_a_lens(picture, 1), [cv2.IMWRITE_JPEG_QUALITY, 95]
    )
    device.files.put(str(folder / "frame.jpg"), f"{shown.frames}/1.jpg")
