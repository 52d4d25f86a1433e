"""agent/vision/whole/wholeness.py: the signs for and against a whole plate, and how they are
weighed.
"""

from itertools import combinations_with_replacement, pairwise

import cv2
import numpy as np
import pytest

from agent.core.reading.plate_text import CHARACTERS
from agent.core.reading.sighting import PlateBox
from agent.vision import ctc
from agent.vision.ctc import middles, softmax
from agent.vision.whole.plain_signs import WEIGHTS
from agent.vision.whole.wholeness import (
    AROUND_HEIGHT_PX,
    AROUND_WIDTH_PX,
    LINES,
    SIGNS,
    Missing,
    Sight,
    Wholeness,
    around,
    at_most,
    right_though_hidden,
    signs_of,
)

STACKED = 1  # of the three answers
EVEN = (0.1, 0.23, 0.36, 0.49, 0.62, 0.75, 0.88)
US = (1.0, 0.0, 0.0, 0.0)
FEATURES = np.arange(160 * 32, dtype=np.float32).reshape(160, 32)
CORNERS = ((100, 80), (200, 80), (200, 130), (100, 130))
PLATE = PlateBox((100, 80, 100, 50), CORNERS, 0.9)


def steps_of(text, places):
    steps = np.full((32, 1 + len(CHARACTERS)), 1e-6, np.float32)
    steps[:, 0] = 1.0
    for place, character in zip(places, text, strict=True):
        steps[place] = 1e-6
        steps[place, 1 + CHARACTERS.index(character)] = 1.0
    return steps


def test_each_character_stands_where_the_network_saw_it():
    assert middles(steps_of("AAB1", (3, 9, 14, 30)), "AAB1") == [3, 9, 14, 30]


def test_a_character_held_over_steps_stands_in_their_middle_and_another_text_can_be_laid_on():
    steps = steps_of("AB", (3, 10))
    steps[4] = steps[3]
    assert middles(steps, "AB") == [3.5, 10]
    assert middles(steps, "A8")[0] == 3.5
    assert len(middles(steps, "A8")) == 2


def test_a_text_that_the_likeliest_signs_spell_stands_where_the_whole_search_finds_it(monkeypatch):
    rng = np.random.default_rng(4)
    spelt = 0
    for _ in range(40):
        text = "".join(rng.choice(list("AB1"), 5))
        steps = steps_of(text, sorted(rng.choice(np.arange(0, 32, 2), 5, replace=False)))
        held = np.flatnonzero(steps[:, 0] < 0.5)[::2] + 1
        steps[held[held < 32]] = steps[held[held < 32] - 1]
        steps = softmax(np.log(steps) / 4 + rng.normal(0, 0.2, steps.shape).astype(np.float32))
        quick = middles(steps, text)
        spelt += ctc._spoken(steps, text) is not None
        with monkeypatch.context() as patch:
            patch.setattr(ctc, "_spoken", lambda _steps, _text: None)
            assert middles(steps, text) == quick
    assert spelt > 20


def test_a_doubled_character_is_two_and_a_text_that_was_not_seen_is_laid_on_all_the_same():
    steps = steps_of("AA", (5, 20))
    assert middles(steps, "AA") == [5, 20]
    assert len(middles(steps, "7777")) == 4
    assert all(0 <= place < 32 for place in middles(steps, "7777"))


def signs(image=None, box=PLATE, text="TST1234", places=EVEN, regions=US):
    image = np.full((240, 320), 120, np.uint8) if image is None else image
    sight = Sight(text, places, regions, FEATURES, 0.9)
    return dict(zip(SIGNS, signs_of(around(image, box), box, sight), strict=True))


def test_gaps_are_told_in_characters_widths():
    seen = signs()
    assert seen["left"] == pytest.approx(0.1 / 0.13)
    assert seen["right"] == pytest.approx(0.12 / 0.13)
    assert seen["nearer"] == seen["left"]
    assert seen["uneven"] == pytest.approx(0.02 / 0.13)
    assert seen["widest"] == pytest.approx(1)
    cut = signs(text="ST1234", places=tuple(p - 0.1 for p in EVEN[1:]))
    assert cut["left"] == pytest.approx(1)
    assert signs(places=(*EVEN[:3], *(p + 0.05 for p in EVEN[3:])))["widest"] > 1.3


def test_a_text_is_weighed_by_the_formats_of_its_region():
    assert signs()["off_list"] == 0
    assert signs(text="SPEED30")["off_list"] == 1
    assert signs(text="SPEED30")["pattern"] < signs()["pattern"]
    brazil = (0.0, 0.0, 0.0, 1.0)
    assert signs(text="ST1234", places=EVEN[1:], regions=brazil)["off_list"] == 1


def drawn(*lines):
    """A light plate with dark strokes on grey, and upright lines x, top, bottom."""
    image = np.full((240, 320), 120, np.uint8)
    cv2.rectangle(image, (100, 80), (200, 130), 220, -1)
    for x in range(110, 195, 13):
        cv2.rectangle(image, (x, 98), (x + 5, 112), 20, -1)
    for x, top, bottom in lines:
        cv2.rectangle(image, (x, top), (x + 9, bottom), 40, -1)
    return image


def test_a_post_runs_past_the_plate_and_a_plates_own_edge_does_not():
    clear, post = signs(drawn()), signs(drawn((120, 20, 200)))
    assert post["line_through"] > clear["line_through"] + 1
    assert post["line"] > clear["line"] + 1
    from_below = signs(drawn((120, 80, 200)))
    assert from_below["line"] > clear["line"] + 1
    beside = signs(drawn((215, 20, 200)))
    assert beside["line_through"] < post["line_through"] - 1


class Answering:
    """A network that answers this, whatever it is shown."""

    def __init__(self, *chances):
        self.chances, self.shown = chances, []

    def run(self, names, given):
        assert names == ["chances"]
        self.shown.append(given)
        return [np.array([self.chances], np.float32)]


def judged(network, text="TST1234", places=EVEN, sure=0.6, box=PLATE):
    image = np.random.default_rng(1).integers(0, 255, (240, 320), np.uint8)
    return Wholeness(network, 0.7)(image, box, Sight(text, places, US, FEATURES, sure))


CLEAR, CERTAIN = PlateBox(PLATE.box, CORNERS, 0.99999), 0.9999


def test_where_the_signs_leave_no_doubt_the_network_is_not_asked():
    network = Answering(1.0, 1.0, 1.0)
    assert judged(network, sure=CERTAIN, box=CLEAR) == Missing()
    assert network.shown == []


@pytest.mark.parametrize(
    "doubtful",
    [
        {"sure": 0.95},
        {"sure": float("nan")},
        {"box": PLATE},
        {"text": "TST123", "places": EVEN[:-1]},
        {"text": "SPEED30"},
        {"places": tuple(place - 0.09 for place in EVEN)},
        {"places": (*EVEN[:3], *(place + 0.08 for place in EVEN[3:]))},
    ],
)
def test_where_any_sign_leaves_doubt_the_network_is_asked(doubtful):
    network = Answering(1.0, 0.0, 0.0)
    given = {"sure": CERTAIN, "box": CLEAR} | doubtful
    assert judged(network, **given).part
    assert len(network.shown) == 1


def test_each_sign_that_needs_no_picture_has_its_weight_and_so_has_the_text():
    assert len(WEIGHTS) == len(SIGNS) - len(LINES) + 1
    assert LINES == ("line", "line_through")


def test_a_plate_is_whole_where_nothing_is_likely_to_be_missing():
    assert judged(Answering(0.6, 0.6, 0.6)) == Missing(perhaps_stacked=True)
    assert judged(Answering(0.01, 0.01, 0.01)) == Missing()


def test_of_a_whole_plate_the_second_answer_alone_says_whether_a_stack_is_looked_for():
    assert judged(Answering(0.6, 0.01, 0.6)) == Missing()
    assert judged(Answering(0.01, 0.06, 0.01)) == Missing(perhaps_stacked=True)


@pytest.mark.parametrize("answer", range(3))
@pytest.mark.parametrize("chance", [0.75, 1.0, float("nan")])
def test_each_answer_alone_is_enough_against_a_whole_plate(answer, chance):
    chances = [0.0, 0.0, 0.0]
    chances[answer] = chance
    missing = judged(Answering(*chances))
    right = 1.0 if answer == STACKED else right_though_hidden(chance)
    assert missing == Missing(answer != STACKED, answer == STACKED, True, right)


def test_the_surer_something_hides_a_part_the_less_likely_the_text_is_right():
    told = [right_though_hidden(chance) for chance in (0.0, 0.01, 0.45, 0.7, 0.95, 0.999, 1.0)]
    assert told == sorted(told, reverse=True)
    assert (told[0], told[-1]) == (1.0, 0.0)
    assert 0.8 < told[2] < 0.95, "of such plates few are hidden, and of these most read rightly"
    assert told[-2] < 0.3
    assert right_though_hidden(float("nan")) == 0.0


def test_the_likelier_of_a_hidden_part_and_a_lost_row_counts():
    more = pytest.approx(right_though_hidden(0.98))
    assert judged(Answering(0.75, 0.0, 0.98)).right == more
    assert judged(Answering(0.98, 0.0, 0.75)).right == more


def test_the_network_is_shown_the_plate_with_its_surroundings_its_features_and_the_signs():
    network = Answering(0.0, 0.0, 0.0)
    judged(network)
    (given,) = network.shown
    assert given["around"].shape == (1, 1, AROUND_HEIGHT_PX, AROUND_WIDTH_PX)
    assert abs(float(given["around"].mean())) < 0.01
    assert float(given["around"].std()) == pytest.approx(1, abs=0.1)
    assert (given["features"] == FEATURES[None]).all()
    assert given["signs"].shape == (1, len(SIGNS))
    assert given["signs"][0, SIGNS.index("characters")] == 7
    assert {one.dtype for one in given.values()} == {np.dtype(np.float32)}


def test_a_wild_box_still_gives_numbers():
    for corners in (((5, 5),) * 4, ((0, 0), (1e6, 0), (1e6, 1e6), (0, 1e6))):
        box = PlateBox((5, 5, 0, 0), corners, 1.0)
        assert np.isfinite(list(signs(box=box, places=(0.5,) * 7).values())).all()


@pytest.mark.parametrize(("height", "share"), [(20, 0.5), (44, 0.4), (21, 0.5), (5, 0.0)])
def test_a_columns_level_is_what_numpy_says_it_is(height, share):
    rows = np.random.default_rng(height).normal(size=(height, 30)).astype(np.float32)
    assert at_most(rows, share) == pytest.approx(np.percentile(rows, 100 * share, axis=0), abs=1e-6)


def test_characters_are_aligned_as_by_trying_every_way():
    rng = np.random.default_rng(3)
    for _ in range(20):
        steps = rng.dirichlet(np.full(1 + len(CHARACTERS), 0.1), 6).astype(np.float32)
        assert middles(steps, "7A7") == pytest.approx(by_every_way(steps, "7A7"))


def by_every_way(steps, text):
    """Each character's middle in the likeliest of all spellings, one step after the other."""
    signs = [0 if place % 2 == 0 else 1 + CHARACTERS.index(text[place // 2]) for place in range(7)]
    chances = steps[:, signs] + 1e-9
    ways = [
        way
        for way in combinations_with_replacement(range(7), len(steps))
        if way[0] < 2
        and way[-1] > 4
        and all(b - a < 2 or (b - a == 2 and b % 2) for a, b in pairwise(way))
    ]
    best = max(ways, key=lambda way: np.log(chances[range(len(way)), way]).sum())
    found = []
    for place in (1, 3, 5):
        at = [step for step, reached in enumerate(best) if reached == place]
        found.append(np.average(at, weights=chances[at, place]))
    return found
