"""Scenes that detector and aligner learn from: plates whose edge the paint around them hides."""

from dataclasses import dataclass

import numpy as np
import pytest

from models.training.detector import scenes
from models.training.detector.scenes import DARK_LEVEL, Scene, SceneMaker

WIDTH, HEIGHT = 320, 192
LIGHT, DARK = 235, 30


@dataclass(frozen=True)
class Pictures:
    images: list
    notes: list

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index]


def plate(ground):
    """Bars in place of characters."""
    picture = np.full((40, 80, 3), ground, np.uint8)
    picture[10:30, 10:70:8] = 255 - ground
    return picture


def maker_of(*grounds):
    nothing = Pictures([np.full((HEIGHT, WIDTH, 3), 128, np.uint8)], [{"set": "-", "boxes": []}])
    nothing.notes[0] |= {"mistaken": [], "uncounted": [], "corners": []}
    plates = Pictures([plate(ground) for ground in grounds], [{"rows": 1}] * len(grounds))
    return SceneMaker(nothing, plates, Pictures([], []))


def pasted(monkeypatch, maker, seed, *, on_bodywork, same_shade, surely_dark=0.0):
    monkeypatch.setattr(scenes, "ON_BODYWORK", on_bodywork)
    monkeypatch.setattr(scenes, "SAME_SHADE", same_shade)
    monkeypatch.setattr(scenes, "SURELY_DARK", surely_dark)
    scene = Scene(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    maker.paste_plate(np.random.default_rng(seed), scene)
    return scene


def edge_contrast(scene):
    """By how many grey levels the plate's ground differs from what is around it."""
    (x0, y0, x1, y1), _, _ = scene.plates[0]
    x0, y0, x1, y1 = (int(value) for value in (x0, y0, x1, y1))
    grey = scene.image.mean(axis=2)
    low_y, high_y = max(0, y0 - 12), min(HEIGHT, y1 + 12)
    around = np.concatenate([grey[low_y : max(0, y0 - 5), x0:x1], grey[y1 + 5 : high_y, x0:x1]])
    return abs(float(np.median(grey[y0:y1, x0:x1])) - float(np.median(around)))


def test_a_dark_plate_is_the_first_of_several_that_is_dark():
    maker = maker_of(LIGHT, LIGHT, DARK)
    levels = [
        np.median(maker.draw_dark_plate(np.random.default_rng(seed))[0]) for seed in range(60)
    ]
    assert np.mean(np.array(levels) < DARK_LEVEL) > 0.8, "by chance it would be a third"


def test_where_none_is_dark_a_light_one_is_drawn():
    picture, _, rows = maker_of(LIGHT).draw_dark_plate(np.random.default_rng(1))
    assert (np.median(picture) > DARK_LEVEL, rows) == (True, 1)


@pytest.mark.parametrize("ground", [LIGHT, DARK])
def test_paint_like_its_ground_hides_a_plates_edge(monkeypatch, ground):
    maker = maker_of(ground)
    contrasts = {}
    for same_shade in (0.0, 1.0):
        made = [
            pasted(monkeypatch, maker, seed, on_bodywork=1.0, same_shade=same_shade)
            for seed in range(40)
        ]
        contrasts[same_shade] = np.median([edge_contrast(one) for one in made if one.plates])
    assert contrasts[1.0] < contrasts[0.0] / 2


def test_of_plates_that_are_hardly_seen_as_many_are_surely_dark_as_asked(monkeypatch):
    maker = maker_of(LIGHT, LIGHT, LIGHT, DARK)
    drawn = []
    monkeypatch.setattr(
        SceneMaker, "draw_dark_plate", lambda self, rng: drawn.append(1) or self.draw_plate(rng)
    )
    for seed in range(60):
        pasted(monkeypatch, maker, seed, on_bodywork=1.0, same_shade=1.0, surely_dark=0.5)
    assert 15 < len(drawn) < 45
    drawn.clear()
    for seed in range(20):
        pasted(monkeypatch, maker, seed, on_bodywork=0.0, same_shade=1.0, surely_dark=1.0)
    assert not drawn, "elsewhere no plate is drawn for its ground"


def test_a_panel_never_covers_another_plate(monkeypatch):
    maker = maker_of(DARK)
    for seed in range(40):
        scene = pasted(monkeypatch, maker, seed, on_bodywork=1.0, same_shade=1.0)
        if not scene.plates:
            continue
        (x0, y0, x1, y1), _, _ = scene.plates[0]
        before = scene.image.copy()
        maker.paste_plate(np.random.default_rng([seed, 1]), scene)
        rows, columns = (slice(int(low), int(high)) for low, high in ((y0, y1), (x0, x1)))
        same = (scene.image[rows, columns] == before[rows, columns]).mean()
        assert same > 0.9
