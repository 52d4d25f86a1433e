"""Pictures that have nothing to do with each other: each for itself, turned where no plate stands
upright, told in the input's own pixels.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from agent import pipeline
from agent.bulk.reader import read_frame
from agent.commands.read_output import to_json
from agent.core.policy.counts import Counts
from agent.core.reading.quarter_turns import turned, turned_back
from agent.errors import UsageError
from tests.fakes.vision import FakeDetector, FakePlate, FakeReader
from tests.unit.test_pipeline import frames, line  # noqa: F401 - `line` is a fixture

WIDTH, HEIGHT = 640, 240


def where_red(image):
    """x, y, width, height of what is red."""
    rows, columns = np.nonzero(image[:, :, 2] > 100)
    x, y = columns.min(), rows.min()
    return float(x), float(y), float(columns.max() + 1 - x), float(rows.max() + 1 - y)


def plates_by_colour(frame):
    """A red plate that only reads wider than high, with its blue end at the left."""
    x, y, width, height = where_red(frame.image)
    blue = frame.image[int(y) + 1, int(x) + 1, 0] > 100
    return [FakePlate("TST0042", (x, y, width, height))] if width > height and blue else []


def taken(degrees):
    """A picture that stands upright once it is turned clockwise by so much."""
    (frame,) = frames(1)
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    image[60:90, 40:160, 2] = 200
    image[60:90, 40:80, 0] = 200
    upright = replace(frame, image=image)
    return turned(upright, (360 - degrees) % 360) if degrees else upright


EYES = FakeDetector(plates_by_colour), FakeReader(plates_by_colour)


@pytest.mark.parametrize("degrees", [0, 90, 180, 270])
def test_a_plate_that_lies_is_read_turned_and_told_where_it_lies(degrees):
    given = taken(degrees)
    seen = pipeline.plates_in_still(*EYES, given)
    assert seen.turned == degrees
    (read,) = seen.reads
    assert read.text.value == "TST0042"
    assert read.box.box == where_red(given.image), "in the px of the picture that was given"
    first, second, third, _fourth = read.box.corners
    x, y = np.clip(np.mean([first, third], 0) * 0.1 + np.array(first) * 0.9, 0, None)
    assert given.image[int(y), int(x), 0] > 100, "the first corner is the plate's own top left"
    assert np.hypot(*np.subtract(second, first)) == 120, "then comes its long side"


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("shape", [(5, 7, 3), (6, 4), (1, 1, 3)], ids=["colour", "grey", "pixel"])
@pytest.mark.parametrize("step", [1, -1], ids=["whole", "a view"])
def test_each_pixel_is_turned_whole(shape, degrees, step):
    (frame,) = frames(1)
    image = np.random.default_rng(1).integers(0, 255, shape, dtype=np.uint8)[..., ::step]
    got = turned(replace(frame, image=image), degrees).image
    assert got.flags.c_contiguous
    assert (got == np.rot90(image, -degrees // 90)).all()


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_there_and_back_is_the_same_place(degrees):
    given = taken(0)
    there = turned(given, degrees)
    height, width = there.image.shape[:2]
    seen = pipeline.plates_in(*EYES, given)[0]
    once = turned_back(seen, 360 - degrees, width, height)
    assert once.box.box == where_red(there.image)
    assert turned_back(once, degrees, WIDTH, HEIGHT).box == seen.box


def test_what_surely_stands_upright_is_not_turned():
    looked = []

    def script(frame):
        looked.append(frame.image.shape[:2])
        return [FakePlate("TST0042", confidence=0.9)]

    seen = pipeline.plates_in_still(FakeDetector(script), FakeReader([]), taken(0))
    assert seen.turned == 0
    looked.clear()
    pipeline.plates_in_still(FakeDetector(script), FakeReader(script), taken(0))
    assert set(looked) == {(HEIGHT, WIDTH)}


def test_a_turn_that_reads_nothing_surely_counts_for_nothing():
    def script(frame):
        high, wide = frame.image.shape[:2]
        return [FakePlate("TST0042", confidence=0.4 if high > wide else 0.2)]

    seen = pipeline.plates_in_still(FakeDetector(script), FakeReader(script), taken(0))
    assert (seen.turned, seen.reads[0].confidence) == (0, 0.2)


def test_upside_down_it_is_read_wrongly_and_less_surely():
    """Ours reads a plate on its head with 50 % and more, one time in three."""

    def script(frame):
        blue_left = plates_by_colour(frame)
        box = where_red(frame.image)
        return blue_left or [FakePlate("ZZ99999", box, confidence=0.7)] * (box[2] > box[3])

    seen = pipeline.plates_in_still(FakeDetector(script), FakeReader(script), taken(180))
    assert (seen.turned, seen.reads[0].text.value) == (180, "TST0042")


def test_all_turns_are_paid_for_and_told(monkeypatch):
    ticks = iter([1_000_000, 9_500_000])
    monkeypatch.setattr("agent.bulk.reader.time.process_time_ns", lambda: next(ticks))
    told = json.loads(to_json(read_frame(*EYES, taken(270), still=True)))
    assert (told["cpu_ms"], told["turned"]) == (8.5, 270)


def test_without_the_flag_nothing_is_turned_nor_told():
    told = json.loads(to_json(read_frame(*EYES, taken(180))))
    assert told["plates"] == []
    assert "turned" not in told


def test_each_picture_is_its_own_and_the_counts_say_so(line):  # noqa: F811 - the fixture
    """As frames of one street the two cars were two sightings; here they are two in each."""
    pipeline.watch_stills(line, frames(3), lambda: None)
    (counts,) = line.counts.close()
    assert (counts["stills"], counts["seen"], counts["sightings"]) == (3, 6, 6)
    assert len(line.outbox.pending()) == 3


def test_counts_of_a_street_do_not_speak_of_stills(line):  # noqa: F811 - the fixture
    pipeline.watch(line, frames(5), lambda: None)
    (counts,) = line.counts.close()
    assert "stills" not in counts
    assert "stills" not in Counts().close()


@pytest.mark.parametrize("spec", ["picamera", "usb:0", "clip.mp4"])
def test_only_pictures_are_stills(tmp_path, monkeypatch, spec):
    from agent.camera.sources import open_source
    from agent.settings import Settings
    from tests.fakes.clock import FakeClock

    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").touch()
    with pytest.raises(UsageError, match="--stills: this is no picture"):
        open_source(spec, Settings(camera_id="test-camera"), FakeClock(), stills=True)
