"""Thermal soak: every core detects and reads without pause; the rate must not fall, nor the
processor be throttled.
"""

import pytest

pytestmark = [pytest.mark.hardware, pytest.mark.timeout(4000)]

LEAST_OF_FIRST = 0.85  # the rate at the end, of that at the beginning
HOTTEST_C = 80.0  # where a Pi begins to slow down


@pytest.fixture(scope="module")
def soaked(whole_device, request, tmp_path_factory):
    """One soak for all tests: it takes as long as it takes.

    The frame is the first of a drawn chart, so that there is something to read.
    """
    import cv2

    from hw_tests.rig import chart

    folder = tmp_path_factory.mktemp("soak")
    _, picture = next(chart.pages())
    cv2.imwrite(str(folder / "frame.png"), picture)
    there = whole_device.put_files({"frame.png": folder / "frame.png"}, "soak")
    seconds = request.config.getoption("--hw-soak-s")
    return whole_device.probe(
        "soak",
        "--source",
        f"{there}/frame.png",
        "--seconds",
        str(seconds),
        within_s=seconds * 1.5 + 60,
    )


def test_the_rate_holds(soaked, device, figure):
    first, last = soaked["parts"][0]["fps"], soaked["parts"][-1]["fps"]
    figure("vision at full load, a core", last, "fps")
    assert last > 0
    if device.options.judged:
        assert last >= LEAST_OF_FIRST * first, (
            f"{first} frames a second at first, {last} when warm: is the cooler on?"
        )


@pytest.mark.lg_feature("throttle")
def test_nothing_was_throttled(soaked, figure):
    heat = [part["celsius"] for part in soaked["parts"] if part["celsius"] is not None]
    assert heat, "the camera tells no temperature"
    figure("heat after the soak", heat[-1], "°C")
    assert max(heat) < HOTTEST_C
    assert soaked["throttled"] is not None, "the firmware cannot be asked"
    assert soaked["throttled"] & 0xF == 0, (
        f"the firmware says {soaked['throttled']:#x}: under-voltage, capped or throttled"
    )
