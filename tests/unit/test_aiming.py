"""An aim's numbers: the green band stands on the model cards, motion on geometry, light and
sharpness on what was measured.
"""

import math
import re
from pathlib import Path

import pytest

from agent.core.camera.aim_figures import (
    GREEN_FROM_PX,
    LEAST_PX,
    LEAST_SHARE,
    PLATE_MM,
    SHARP,
    SOFT,
    Light,
    Verdict,
    band_for,
    local_share,
    sharp_verdict,
    smear,
)

MODELS = Path(__file__).parents[2] / "models"


def test_green_begins_above_the_width_from_which_the_recogniser_gains_nothing_more():
    card = (MODELS / "recognizer.md").read_text()
    us = {
        int(low): float(share)
        for low, share in re.findall(r"^\| (\d+)–\d+ px \| ([0-9.]+) %", card, re.MULTILINE)
    }
    assert us[40] + 5 < us[int(LEAST_PX)]  # what is told to be too narrow reads worse
    # Nothing is lost from there on, so green has pixels in hand.
    assert us[int(GREEN_FROM_PX)] < us[int(LEAST_PX)] + 3
    assert LEAST_PX * 1.3 < GREEN_FROM_PX < LEAST_PX * 1.4


def test_below_what_the_detectors_card_measured_nothing_is_green():
    assert (
        f"(1/{round(1 / LEAST_SHARE)} of the frame's width)" in (MODELS / "detector.md").read_text()
    )
    for width in (640, 1280, 1920, 2560, 4608):
        band = band_for(width)
        assert band.verdict(width * LEAST_SHARE - 1) is Verdict.BAD
        assert band.least <= band.green_from < band.green_to


def test_the_band_of_a_full_hd_frame():
    band = band_for(1920)
    assert [band.verdict(width) for width in (59, 60, 79, 80, 240, 241)] == [
        Verdict.BAD,
        Verdict.LOW,
        Verdict.LOW,
        Verdict.GOOD,
        Verdict.GOOD,
        Verdict.HIGH,
    ]


def test_a_wide_frame_needs_wider_plates():
    assert band_for(4608).green_from == 144


def test_motion_past_the_camera():
    seen = smear(90, 1 / 1000, 90, plate_px=122, plate_mm=305)
    assert math.isclose(seen.mm, 25.0)
    assert math.isclose(seen.px, 10.0)
    assert seen.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("mm", "verdict"),
    [(8.9, Verdict.GOOD), (9.1, Verdict.LOW), (13.9, Verdict.LOW), (14.1, Verdict.BAD)],
)
def test_a_stroke_of_the_characters_is_the_measure(mm, verdict):
    assert smear(36, mm / 10_000, 90, 100, 305).verdict is verdict  # 36 km/h are 10 m/s


def test_the_longest_shutter_is_the_one_that_is_just_fine():
    longest_s = smear(50, 1 / 1000, 20, 100, 305).longest_s
    assert smear(50, longest_s * 0.999, 20, 100, 305).verdict is Verdict.GOOD
    assert smear(50, longest_s * 1.001, 20, 100, 305).verdict is Verdict.LOW


def test_straight_at_the_camera_nothing_smears():
    assert smear(130, 1 / 50, 0, 100, 305).longest_s == math.inf


def test_light():
    assert Light(120, 90, 0.01).verdict() is Verdict.GOOD
    assert Light(30, 90, 0.0).verdict() is Verdict.LOW
    assert Light(120, 10, 0.0).verdict() is Verdict.BAD
    assert Light(220, 90, 0.4).verdict() is Verdict.HIGH


def test_sharpness():
    assert [sharp_verdict(detail) for detail in (SOFT - 1, SOFT, SHARP - 1, SHARP)] == [
        Verdict.BAD,
        Verdict.LOW,
        Verdict.LOW,
        Verdict.GOOD,
    ]


def test_the_test_plate_is_longer_than_a_us_plate_and_shorter_than_a_european_one():
    from agent.provision.plate_drawing import WIDTH_MM

    assert local_share("us") == 305 / WIDTH_MM < 1 < local_share("eu") == 520 / WIDTH_MM
    assert set(PLATE_MM) == {"us", "eu", "br"}
