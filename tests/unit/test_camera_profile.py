"""Which controls are set for day and night, and when it is night.

The adapter that sets them: tests/components/test_picamera_source.py.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.camera.profile import DAY, NIGHT, DayNight, Profile, choose, crop_px

WIDE = 16 / 9
MODES = {
    "ExposureTime": (60, 66_666, 0),
    "ExposureTimeMode": (0, 1, 0),
    "AnalogueGain": (1.0, 16.0, 1.0),
    "AnalogueGainMode": (0, 1, 0),
}


def test_a_newer_library_is_told_who_decides():
    assert choose(Profile(10, WIDE, exposure_us=900), MODES).controls == {
        "ExposureTime": 900,
        "ExposureTimeMode": 1,
        "AnalogueGainMode": 0,
    }


def test_an_older_library_takes_nothing_for_its_own_choice():
    older = {name: limits for name, limits in MODES.items() if not name.endswith("Mode")}
    assert choose(Profile(10, WIDE, gain=4), older).controls == {
        "AnalogueGain": 4,
        "ExposureTime": 0,
    }


def test_a_camera_without_any_control_lacks_what_was_wished_and_nothing_else():
    chosen = choose(Profile(10, WIDE, focus_m=8.0), {})
    assert (chosen.controls, chosen.lacking, chosen.bent) == ({}, ("rate", "focus"), ())


def test_the_crops_of_a_camera_with_several_streams_are_a_list():
    limits = {
        "ScalerCrop": ((0, 0, 64, 64), (8, 4, 1600, 900), None),
        "ScalerCrops": (None, None, None),
    }
    chosen = choose(Profile(10, WIDE, crop=(0.5, 0.5, 0.5, 0.5)), limits)
    assert chosen.controls == {"ScalerCrops": [(808, 454, 800, 450)]}


share = st.floats(0.05, 0.5)


@given(
    st.tuples(share, share, share, share),
    st.floats(0.5, 3),
    st.integers(640, 5000),
    st.integers(480, 4000),
)
def test_a_crop_has_the_pictures_shape_and_lies_in_what_was_asked_for(crop, shape, width, height):
    x, y, wide, high = crop_px(crop, shape, (0, 0, width, height))
    assert abs(wide - high * shape) <= shape + 1, "to a pixel"
    assert x >= crop[0] * width - 1
    assert y >= crop[1] * height - 1
    assert x + wide <= (crop[0] + crop[2]) * width + 1
    assert y + high <= (crop[1] + crop[3]) * height + 1


def seen(light, *samples):
    return [light.see(lux, at_s) for at_s, lux in enumerate(samples)]


def test_night_comes_after_a_while_in_the_dark_and_day_after_a_while_in_the_light():
    light = DayNight(10, 40, 2)
    assert seen(light, 50, 9, 9, 9) == [None, None, None, NIGHT]
    assert seen(light, 30, 41, 41, 41) == [None, None, None, DAY]


@pytest.mark.parametrize("samples", [(9, 9, 50, 9, 9), (20,) * 9, (None, 9, None, 9)])
def test_headlights_dusk_and_frames_without_a_figure_change_nothing(samples):
    assert set(seen(DayNight(10, 40, 4), *samples)) == {None}


def test_without_limits_it_is_always_day():
    assert seen(DayNight(None, None, 0), 0, 0, 0) == [None] * 3
