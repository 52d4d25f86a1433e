"""The gate on luminance: quiet where nothing comes, whatever the light and the weather do, and open
within two frames where a plate comes.
"""

import numpy as np
import pytest

from agent.vision.stream.luma_gate import LumaGate, cells_of
from tests.support.street import (
    DISTURBANCES,
    HEIGHT,
    LEAVES,
    STREET,
    WIDTH,
    drift,
    frame,
    headlamps,
    nothing,
    plate,
    rain,
    seconds,
    street,
    trees,
)

FPS = 15


def opened(gate, frames, *, news=False):
    """Of each frame, whether the gate opened; what opens it is looked at."""
    opens = []
    for seen in frames:
        opens.append(gate.changed(seen))
        if opens[-1]:
            gate.looked(seen.captured.utc, news=news)
    return opens


def used_to(disturbed, noise=3.0, long_s=12.0):
    """A gate that has seen the street so for a while, and the number of the next frame."""
    gate = LumaGate()
    opened(gate, seconds(long_s, disturbed, noise=noise, every=3))
    return gate, round(long_s * FPS)


@pytest.mark.parametrize("noise", [0.0, 3.0, 10.0])
def test_an_empty_street_is_quiet_whatever_the_noise(noise):
    opens = opened(LumaGate(), seconds(10, nothing, noise=noise))
    assert opens[0]
    assert sum(opens[FPS:]) == 0


def test_light_that_drifts_is_no_change():
    assert sum(opened(LumaGate(), seconds(60, drift, every=4))[1:]) <= 1


@pytest.mark.parametrize("lighter", [0.75, 0.9, 1.1, 1.35])
def test_a_step_of_the_exposure_is_no_change(lighter):
    gate, number = used_to(nothing, long_s=2)
    after = [frame(street() * np.float32(lighter), number + k) for k in range(30)]
    assert sum(opened(gate, after)) == 0


def test_night_falls_in_one_frame_and_day_comes_back():
    """The profile's switch: another exposure, more noise, another contrast."""
    gate, number = used_to(nothing, long_s=2)
    night = [frame(street() * np.float32(0.3) + 8, number + k, noise=9.0) for k in range(30)]
    assert sum(opened(gate, night)[15:]) == 0
    day = [frame(street(), number + 30 + k) for k in range(30)]
    assert sum(opened(gate, day)[15:]) == 0


def test_a_sweep_of_headlamps_is_over_when_it_is_over():
    opens = opened(LumaGate(), seconds(10, headlamps))
    assert sum(opens[35:]) == 0


@pytest.mark.parametrize("disturbed", [rain, trees])
def test_what_moves_and_brings_nothing_opens_it_less_and_less(disturbed):
    opens = opened(LumaGate(), seconds(60, disturbed, every=4))
    assert sum(opens[:40]) > 30
    assert sum(opens[-75:]) < 40


def test_what_brings_plates_is_never_learned():
    """Where what moves brings plates, each move is worth a look."""
    opens = opened(LumaGate(), seconds(60, trees, every=4), news=True)
    assert sum(opens[-75:]) > 60


PLACES = [(x, y) for y in range(8, HEIGHT, 57) for x in range(15, WIDTH, 89)]


@pytest.mark.parametrize("name", DISTURBANCES)
def test_a_plate_that_appears_anywhere_is_noticed_within_two_frames(name):
    """The narrowest one that the detector finds, alone, without a car around it."""
    disturbed = DISTURBANCES[name]
    gate, number = used_to(disturbed)

    def shown(picture, number):
        return frame(disturbed(picture, number, np.random.default_rng(number)), number)

    late = []
    for x, y in PLACES:
        if disturbed is trees and x < LEAVES.shape[1] + 20 and y < LEAVES.shape[0] + 20:
            continue  # the next test's
        gate.changed(shown(STREET, number))
        gate.looked(shown(STREET, number).captured.utc, news=True)
        come = plate(STREET, x, y)
        if not any(gate.changed(shown(come, number + more)) for more in (1, 2)):
            late.append((x, y))
        number += 3
    assert late == []


def test_a_car_among_swaying_leaves_is_noticed():
    gate, number = used_to(trees, long_s=40)
    passing = []
    for step in range(10):
        picture = trees(STREET, number + step, np.random.default_rng(0))
        picture[100:170, 10 + 15 * step : 100 + 15 * step] = 180
        passing.append(frame(picture, number + step))
    assert sum(opened(gate, passing, news=True)) >= 9


@pytest.mark.parametrize(("before", "after"), [(90, 0), (0, 90), (200, 60)])
def test_a_picture_that_goes_dark_or_bright_altogether_has_changed(before, after):
    gate = LumaGate()
    opened(gate, [frame(np.full_like(STREET, before), 0, noise=0)])
    assert gate.changed(frame(np.full_like(STREET, after), 1, noise=0))


def test_a_lorry_that_fills_most_of_the_frame_is_no_noise():
    gate, number = used_to(nothing, long_s=2)
    lorry = street()
    lorry[60:340, 40:620] = 130
    assert gate.changed(frame(lorry, number))


@pytest.mark.parametrize("noise", [3.0, 8.0])
def test_a_dark_car_on_a_dark_road_is_noticed(noise):
    gate, number = used_to(nothing, noise=noise, long_s=2)
    car = street(40)
    gate.changed(frame(street(40), number, noise))
    gate.looked(frame(street(40), number).captured.utc, news=True)
    car[150:230, 200:300] -= 12
    assert gate.changed(frame(car, number + 1, noise))


def test_a_cell_is_the_mean_luminance_of_its_part():
    image = np.zeros((360, 640, 3), np.uint8)
    image[8:16, 16:24] = 200
    cells = cells_of(image)
    assert cells.shape == (45, 80)
    assert cells[1, 2] == 200
    assert cells.sum() == 200


def test_a_clock_set_back_breaks_nothing():
    gate = LumaGate()
    opened(gate, list(seconds(2, nothing))[::-1])
    assert not gate.changed(frame(street(), 0))
