"""bench/causes and cause_frames: scenes that show what their names say, the same for the same seed,
and figures that count what they say.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("PIL", reason="the renderer draws small print with Pillow")

from agent.core.reading.plate_text import PlateText
from agent.core.reading.sighting import PlateBox
from bench import causes as bench_causes
from bench.cause_frames import CAUSES, HEIGHT_PX, WIDTH_PX, Cause, scenes
from bench.causes import measure
from models.training.polarity import light_on_dark
from models.training.render.glyphs import AlteredFace
from tests.support.judging import read

BY_NAME = {cause.name: cause for cause in CAUSES}


@pytest.fixture(autouse=True)
def stroke_glyphs_only(monkeypatch):
    """No font is needed, and none is looked for: what is tested must not depend on the machine."""
    monkeypatch.setattr("models.training.render.glyphs.faces_for", lambda names: [])
    monkeypatch.setattr("models.training.render.glyphs.find_fonts", list)


def slope_deg(plate: PlateBox) -> float:
    (x0, y0), (x1, y1) = plate.corners[:2]
    return float(np.degrees(np.arctan2(y1 - y0, x1 - x0)))


@pytest.mark.parametrize("cause", CAUSES[:3] + CAUSES[-3:], ids=lambda cause: cause.name)
def test_the_same_seed_gives_the_same_scenes_whatever_their_number(cause):
    one, again, other = (
        next(scenes(cause, count, seed)) for count, seed in ((1, 5), (3, 5), (1, 6))
    )
    assert np.array_equal(one.frame.image, again.frame.image)
    assert (one.plate, one.text) == (again.plate, again.text)
    assert not np.array_equal(one.frame.image, other.frame.image)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_a_plate_lies_inside_its_frame_unless_it_is_cut(cause):
    for scene in scenes(cause, 3, 1):
        assert scene.frame.image.shape == (HEIGHT_PX, WIDTH_PX, 3)
        corners = np.array(scene.plate.corners)
        outside = (corners < 0).any() or (corners > [WIDTH_PX, HEIGHT_PX]).any()
        assert outside == cause.cut
        x, y, width, height = scene.box
        assert x >= 0
        assert y >= 0
        assert x + width <= WIDTH_PX + 1e-3
        assert y + height <= HEIGHT_PX + 1e-3


def test_polarity_is_what_its_name_says():
    for name, dark in (("dark on light", False), ("light on dark", True)):
        told = []
        for scene in scenes(BY_NAME[name], 12, 2):
            x, y, width, height = (int(v) for v in scene.box)
            told.append(light_on_dark(scene.frame.image[y : y + height, x : x + width]) == dark)
        assert sum(told) >= 10


def test_a_slashed_zero_is_a_zero_with_more_ink(monkeypatch):
    drawn = list(scenes(BY_NAME["slashed zero"], 5, 2))
    assert all("0" in scene.text for scene in drawn)
    monkeypatch.setattr(AlteredFace, "mask", lambda self, *of: self._face.mask(*of))
    for slashed, plain in zip(drawn, scenes(BY_NAME["slashed zero"], 5, 2), strict=True):
        assert slashed.text == plain.text
        assert not np.array_equal(slashed.frame.image, plain.frame.image)


def test_a_steeper_yaw_leaves_less_width_at_the_same_height():
    shapes = {}
    for name in ("yaw 20", "yaw 40", "yaw 60"):
        boxes = np.array([scene.box for scene in scenes(BY_NAME[name], 10, 3)])
        shapes[name] = np.median(boxes[:, 2])
    assert shapes["yaw 20"] > 1.1 * shapes["yaw 40"] > 1.3 * shapes["yaw 60"]


def test_a_roll_tilts_to_either_side():
    slopes = np.array([slope_deg(scene.plate) for scene in scenes(BY_NAME["roll 20"], 20, 4)])
    assert (np.abs(np.abs(slopes) - 20) < 7).all()
    assert {-1, 1} == set(np.sign(slopes))


def test_small_and_two_rowed_are_what_they_say():
    widths = [scene.box[2] for scene in scenes(BY_NAME["50 px"], 10, 5)]
    assert all(44 < width < 60 for width in widths)
    assert all(scene.plate.rows == 2 for scene in scenes(BY_NAME["two rows"], 5, 5))


def test_a_cut_plates_text_is_shorter_than_a_whole_ones():
    cut = [len(scene.text) for scene in scenes(BY_NAME["cut"], 12, 6)]
    whole = [len(scene.text) for scene in scenes(BY_NAME["dark on light"], 12, 6)]
    assert np.mean(cut) < np.mean(whole) - 1


class Pointer:
    """Finds the plates of the scenes that it was told of; or nothing."""

    def __init__(self, drawn, *, blind=False):
        self.plates = {id(scene.frame): scene.plate for scene in drawn}
        self.blind = blind

    def find_plates(self, frame):
        return () if self.blind else (self.plates[id(frame)],)


class Reader:
    """Reads every scene right, or always the same; always as sure."""

    def __init__(self, drawn, confidence, text=None):
        self.texts = {id(scene.frame): text or scene.text for scene in drawn}
        self.confidence = confidence

    def read(self, frame, box):
        found = replace(read("TEST123", confidence=self.confidence), box=box)
        return replace(found, text=PlateText(self.texts[id(frame)]))


def values(result):
    return [
        round(figure.value, 3)
        for figure in (result.found, result.exact, result.sure, result.reader)
    ]


def test_figures_count_what_was_found_read_and_said_surely():
    cause = BY_NAME["dark on light"]
    drawn = list(scenes(cause, 4, 7))
    right = measure((Pointer(drawn), Reader(drawn, 0.95)), cause, drawn)
    assert values(right) == [1, 1, 1, 1]
    assert (right.wrong.value, right.wrong.of) == (0, 4)
    assert right.rest.of == 0
    unsure = measure((Pointer(drawn), Reader(drawn, 0.5)), cause, drawn)
    assert values(unsure) == [1, 1, 0, 1]
    wrong = measure((Pointer(drawn), Reader(drawn, 0.95, "WRONG1")), cause, drawn)
    assert values(wrong) == [1, 0, 1, 0]
    assert wrong.wrong.value == 1
    assert (wrong.rest.value, wrong.rest.of) == (1, 4)
    blind = measure((Pointer(drawn, blind=True), Reader(drawn, 0.95)), cause, drawn)
    assert values(blind) == [0, 0, 0, 1]


def test_what_is_told_surely_of_a_cut_plate_is_wrong():
    cause = BY_NAME["cut"]
    drawn = list(scenes(cause, 4, 7))
    told = measure((Pointer(drawn), Reader(drawn, 0.95)), cause, drawn)
    assert told.exact.value == 1
    assert told.wrong.value == 1
    assert (told.rest.value, told.rest.of) == (1, 4), (
        "exact as far as it is seen, and no whole text"
    )


def test_an_unknown_cause_is_named_with_those_there_are():
    with pytest.raises(SystemExit, match=r"no cause 'fog'.*yaw 60"):
        bench_causes.chosen(["fog"])
    assert bench_causes.chosen([]) == list(CAUSES)
    assert bench_causes.chosen(["cut"]) == [BY_NAME["cut"]]


def test_the_command_prints_figures_and_no_text(monkeypatch, capsys):
    drawn = {}

    def noted(cause, count, seed):
        drawn[cause.name] = list(scenes(cause, count, seed))
        return drawn[cause.name]

    class Any:
        def find_plates(self, frame):
            return Pointer(drawn["dark on light"]).find_plates(frame)

        def read(self, frame, box):
            return Reader(drawn["dark on light"], 0.95).read(frame, box)

    monkeypatch.setattr(bench_causes, "scenes", noted)
    monkeypatch.setattr(bench_causes, "load_vision", lambda *_given: (Any(), Any()))
    bench_causes.main(["--scenes", "3", "--cause", "dark on light", "--json"])
    said = capsys.readouterr().out
    assert json.loads(said)["shipped"][0]["exact"]["value"] == 1
    bench_causes.main(["--scenes", "3", "--cause", "dark on light"])
    said += capsys.readouterr().out
    assert "dark on light" in said
    assert not any(scene.text in said for scene in drawn["dark on light"])


def test_a_cause_is_easy_but_for_what_it_names():
    assert Cause("any") == replace(BY_NAME["dark on light"], name="any")
