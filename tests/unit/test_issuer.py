"""agent/vision/issuer: which state issued a plate, as its small print says, with a scripted
network.
"""

import math
import tomllib
from collections import Counter
from itertools import groupby, product
from pathlib import Path

import cv2
import numpy as np
import pytest

from agent.core.reading.sighting import PlateBox
from agent.vision.ctc import softmax
from agent.vision.issuer.closed_list import (
    LETTERS,
    allowed,
    differences,
    letters_of,
    line_of,
    probabilities,
    similar,
)
from agent.vision.issuer.issuer import NARROWEST_PX, Issuer, width_of
from agent.vision.issuer.legends import counties, legends, parts, state_of
from agent.vision.issuer.strips import STRIP_HEIGHT_PX, STRIP_WIDTH_PX, strips_of

STEPS, SURE = 48, 14.0
ROOT = Path(__file__).parents[2]
IMAGE = np.random.default_rng(4).integers(0, 255, (300, 420, 3), dtype=np.uint8)


def plate(width=200.0, height=100.0, rows=1):
    corners = ((60, 80), (60 + width, 80), (60 + width, 80 + height), (60, 80 + height))
    return PlateBox((60, 80, width, height), corners, 0.9, rows=rows)


def printed(text, *doubts):
    """Logits that spell `text`; `doubts`: (place, other letter, its logit)."""
    logits = np.zeros((STEPS, 1 + len(LETTERS)), np.float32)
    logits[:, 0] = SURE
    for place, letter in enumerate(text):
        step = 1 + 3 * place
        logits[step] = 0
        logits[step, 1 + LETTERS.index(letter)] = SURE
    for place, letter, logit in doubts:
        logits[1 + 3 * place, 1 + LETTERS.index(letter)] = logit
    return logits


class Scripted:
    """Gives the same answer to whatever it is shown, and keeps what it was shown."""

    def __init__(self, above, below):
        self.answer, self.fed = np.stack([above, below]), None

    def run(self, output_names, input_feed):
        assert output_names == ["logits"]
        self.fed = input_feed["strips"]
        return [self.answer]


def issuer(above="", below="", box=None, threshold=0.9):
    session = Scripted(
        *(one if isinstance(one, np.ndarray) else printed(one) for one in (above, below))
    )
    return Issuer(session, threshold)(IMAGE, box or plate()), session


@pytest.mark.parametrize(
    ("above", "below", "state"),
    [
        ("NEVADA", "", "US-NV"),
        ("", "NORTHCAROLINA", "US-NC"),
        ("FIRSTINFLIGHT", "NORTHCAROLINA", "US-NC"),
        ("NEWJERSEY", "GARDENSTATE", "US-NJ"),
        ("", "GARDENSTATE", "US-NJ"),
        ("GEORGIA", "DOUGLAS", "US-GA"),
        ("WESTVIRGINIA", "", "US-WV"),
        ("VIRGINIA", "", "US-VA"),
        ("ARKANSAS", "", "US-AR"),
        ("WASHINGTONDC", "", "US-DC"),
        ("WASHINGTON", "EVERGREENSTATE", "US-WA"),
    ],
)
def test_a_whole_line_of_the_closed_list_names_its_state(above, below, state):
    said, session = issuer(above, below)
    assert said == state
    assert session.fed.shape == (2, 1, STRIP_HEIGHT_PX, STRIP_WIDTH_PX)
    assert session.fed.dtype == np.float32


@pytest.mark.parametrize(
    ("above", "below"),
    [
        ("", ""),
        ("LAKE", "HINDS"),
        ("VIRGINIATECH", ""),  # a line that holds a name is none
        ("BAJACALIFORNIA", ""),
        ("NEVADO", ""),
        ("NEWYORK", "GARDENSTATE"),  # two states: a frame's, or a misreading
        ("TENNESSEF", "WASHINGTON"),  # a county of that name
        ("", "IOWA"),
    ],
)
def test_whatever_else_is_printed_names_no_state(above, below):
    assert issuer(above, below)[0] is None


@pytest.mark.parametrize(
    ("read", "doubt", "state"),
    [
        ("NEVADA", (0, "Q", SURE - 1.0), "US-NV"),  # a name against a letter's doubt
        ("NEVADQ", (5, "A", SURE - 0.3), None),  # less likely than what stands there
        ("NEVADQ", (5, "A", SURE + 4.0), "US-NV"),
        ("OEEANSTATE", (1, "C", SURE - 1.0), None),
        ("OHIQ", (3, "O", SURE - 0.1), None),  # of four letters none may be another
        ("KAMSAS", (2, "N", SURE - 3.0), None),
    ],
)
def test_a_name_speaks_where_it_is_likelier_than_the_letters_as_they_stand(read, doubt, state):
    assert issuer(printed(read, doubt), threshold=0.6)[0] == state


def test_a_name_read_with_one_letter_in_doubt_is_likelier_by_as_much():
    line = line_of(softmax(printed("OEEANSTATE", (1, "C", SURE - 1.0))))
    assert (line.text, line.state) == ("OCEANSTATE", "US-RI")
    assert line.share == pytest.approx(1 / (1 + np.e), abs=0.01)
    assert line.letter == pytest.approx(line.share ** (1 / 10), abs=0.01)


def test_a_name_out_of_noise_is_none():
    logits = printed("NEVADA")
    for step in (1, 4, 7, 10, 13, 16):  # each letter hardly above all others
        logits[step] = np.where(logits[step] == SURE, 1.0, 0.5)
    assert letters_of(softmax(logits)) == "NEVADA"
    assert issuer(logits, threshold=0.01)[0] is None


def test_of_four_letters_none_may_be_another():
    assert line_of(softmax(printed("OHIQ", (3, "O", SURE - 0.1)))) is None
    assert line_of(softmax(printed("IDAHQ", (4, "O", SURE - 0.1)))).text == "IDAHO"


def test_what_is_no_number_is_never_sure():
    assert issuer(np.full((STEPS, 1 + len(LETTERS)), np.nan, np.float32))[0] is None


def test_a_texts_probability_is_the_sum_over_all_ways_to_spell_it():
    rng = np.random.default_rng(3)
    steps = np.zeros((5, 1 + len(LETTERS)), np.float32)
    steps[:, :3] = rng.dirichlet(np.ones(3), 5)  # blank, A, B
    sums = Counter()
    for way in product(range(3), repeat=5):
        spelt = "".join(LETTERS[kind - 1] for kind, _ in groupby(way) if kind)
        sums[spelt] += float(np.prod(steps[np.arange(5), way]))
    texts = ["A", "AB", "AA", "ABA", "BAB", "AAB"]
    assert probabilities(steps, texts) == pytest.approx([sums[text] for text in texts])


def test_a_name_that_stands_in_another_states_must_be_read_letter_for_letter():
    assert parts() == {"GARDENSTATE", "KANSAS", "VIRGINIA", "WASHINGTON"}
    for read, name in (("WVIRGINIA", "VIRGINIA"), ("ZASHINGTON", "WASHINGTON")):
        assert line_of(softmax(printed(read))) is None
        assert line_of(softmax(printed(name))).text == name


def test_the_quick_look_lets_no_near_name_go():
    for read in ("NEWJERSECY", "RHODEISANO", "PENNSYLNANA", "NORTHCAROLNA", "VERMONTS"):
        near = {text for text in state_of() if differences(read, text) <= allowed(text)}
        assert near
        assert near <= set(similar(read))


@pytest.mark.parametrize(
    "box", [plate(width=NARROWEST_PX - 1), plate(rows=2)], ids=["too narrow", "two rows"]
)
def test_a_plate_whose_print_cannot_be_read_is_not_even_looked_at(box):
    said, session = issuer("NEVADA", box=box)
    assert (said, session.fed) == (None, None)


def test_a_plate_is_as_wide_as_its_shorter_long_edge():
    corners = ((0, 0), (100, 0), (90, 40), (10, 40))
    assert width_of(PlateBox((0, 0, 100, 40), corners, 0.9)) == pytest.approx(80)
    turned = ((0, 0), (60, 80), (40, 95), (-20, 15))
    assert width_of(PlateBox((0, 0, 80, 95), turned, 0.9)) == pytest.approx(100)


def test_the_strips_are_the_plates_upper_and_lower_third():
    image = np.full((300, 420, 3), 128, np.uint8)
    cv2.rectangle(image, (60, 80), (260, 180), (128, 128, 128), -1)
    image[90:100, 100:220] = 255  # above the number
    image[164:172, 100:220] = 0  # below it
    above, below = strips_of(image, plate())[:, 0]
    assert above.max() > 1 > abs(above.min())
    assert below.min() < -1 < -abs(below.max())
    assert math.isclose(float(above.mean()), 0, abs_tol=1e-3)


def test_every_state_has_a_name_and_no_line_is_two_states():
    known = tomllib.loads((ROOT / "config/issuers/us.toml").read_text(encoding="utf-8"))["states"]
    territories = {"AS", "GU", "MP", "PR", "UM", "VI"}
    assert [state.state for state in legends()] == sorted(
        f"US-{code}" for code in set(known) - territories
    )
    lines = [line for state in legends() for line in (*state.names, *state.slogans)]
    assert len(lines) == len(set(lines)) == len(state_of())
    assert all(set(line) <= set(LETTERS) for line in lines)
    assert all(state.names for state in legends())
    assert counties() <= set(lines)
