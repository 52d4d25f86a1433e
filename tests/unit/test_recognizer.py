"""agent/vision/recognizer.py and ctc.py: from box to network input, and from the network's steps to
texts, with a scripted network.
"""

from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest

from agent.core.reading.plate_text import CHARACTERS, MAX_LENGTH
from agent.core.reading.sighting import PlateBox
from agent.core.wire.test_plate import plate_for
from agent.vision.ctc import Reading, averaged, decode, softmax
from agent.vision.plate_views import (
    CLOSE,
    INPUT_HEIGHT_PX,
    INPUT_WIDTH_PX,
    network_input,
)
from agent.vision.recognizer import cut, sharpness
from agent.vision.straight_plate import proper_corners, straightened
from agent.vision.syntax import REGIONS, weighed
from tests.support.scripted_network import (
    SURE,
    ScriptedSession,
    frame,
    reader_of,
    steps_of,
    upright,
)

TEST_PLATE = plate_for((1, 2, 3, 4))


def read(logits, box=None):
    session = ScriptedSession(logits)
    return reader_of(session).read(frame(), box or upright(100, 80, 96, 40)), session


@pytest.mark.parametrize("stacked", [True, False])
def test_a_read_says_whether_it_has_stacked_characters(stacked):
    reader = reader_of(ScriptedSession(steps_of("TST4821")))
    reader._second_look = lambda _image, _box, view: (replace(view, stacked=stacked), frozenset())
    assert reader.read(frame(), upright(100, 80, 96, 40)).stacked is stacked


def test_a_sure_network_is_read_as_it_spells():
    plate, session = read(steps_of("TEST123"))
    assert plate.text.value == "TEST123"
    assert plate.confidence > 0.99
    assert len(plate.char_confidence) == len("TEST123")
    assert session.fed.shape == (1, 1, INPUT_HEIGHT_PX, INPUT_WIDTH_PX)
    assert session.fed.dtype == np.float32


def test_a_doubled_character_stays_double():
    assert read(steps_of("AA11"))[0].text.value == "AA11"


def test_a_character_held_over_steps_is_one():
    logits = steps_of("AB")
    logits[2] = logits[1]
    assert read(logits)[0].text.value == "AB"


def test_doubt_shows_as_an_alternative_and_in_that_character_only():
    # Both have the same pattern, so that no prior decides between them.
    plate, _ = read(steps_of("TEST123", doubt=[(1, "F", SURE - 0.5)]))
    assert plate.text.value == "TEST123"
    assert plate.alternatives[0].text.value == "TFST123"
    assert plate.confidence == pytest.approx(0.841, abs=0.005)  # of 0.622 by each look
    assert plate.alternatives[0].probability == pytest.approx(0.159, abs=0.005)
    assert plate.network_text is None
    # No character is less likely than the whole text.
    assert min(plate.char_confidence) == plate.char_confidence[1] == plate.confidence
    assert all(confidence > 0.9 for i, confidence in enumerate(plate.char_confidence) if i != 1)


def test_nothing_read_is_an_empty_text_without_confidence():
    plate, _ = read(steps_of(""))
    assert (plate.text.value, plate.confidence, plate.char_confidence) == ("", 0.0, ())


def test_a_text_never_outgrows_the_longest_plate():
    endless = np.zeros((2 * MAX_LENGTH + 8, len(CHARACTERS) + 1), np.float32)
    for step in range(len(endless)):
        endless[step, 1 + step % 2] = SURE
    assert len(decode(softmax(endless), 1)[0].text) <= MAX_LENGTH


@pytest.mark.parametrize(("text", "most"), [("TEST12345", 1.0), ("TEST123456", 0.5)])
def test_more_characters_than_any_issuer_writes_are_never_sure(text, most):
    plate, _ = read(steps_of(text))
    assert plate.text.value == text
    assert most - 0.02 < plate.confidence <= most


def test_an_unsure_region_is_unknown_and_no_state_is_ever_claimed():
    plate, _ = read(steps_of("TEST123"))
    assert (plate.region, plate.state) == ("unknown", None)


@pytest.mark.parametrize("region", REGIONS)
def test_a_sure_region_is_told(region):
    session = ScriptedSession(steps_of("TEST123"), [9.0 * (name == region) for name in REGIONS])
    assert reader_of(session).read(frame(), upright(100, 80, 96, 40)).region == region


def test_what_carries_no_text_has_no_region():
    session = ScriptedSession(steps_of(""), [9.0, 0, 0, 0])
    assert reader_of(session).read(frame(), upright(100, 80, 96, 40)).region == "unknown"


def test_the_beam_agrees_with_every_alignment_counted_by_hand():
    rng = np.random.default_rng(4)
    probabilities = np.zeros((4, len(CHARACTERS) + 1), np.float32)
    probabilities[:, :3] = rng.dirichlet((1, 1, 1), 4)  # blank, "0", "1"
    totals = {}
    for path in product(range(3), repeat=4):
        text = "".join(
            CHARACTERS[c - 1] for i, c in enumerate(path) if c and (i == 0 or c != path[i - 1])
        )
        totals[text] = totals.get(text, 0.0) + float(
            np.prod([probabilities[i, c] for i, c in enumerate(path)])
        )
    best = max(totals, key=totals.get)
    reading = decode(probabilities, 3)[0]
    assert reading.text == best
    assert reading.probability == pytest.approx(totals[best], rel=1e-4)


@pytest.mark.parametrize(
    "box",
    [
        (-30, -10, 60, 20),
        (300, 230, 60, 20),
        (10, 10, 0.2, 0.2),
        (-50, -50, 20, 20),
        (500, 500, 10, 10),
    ],
)
def test_a_box_over_the_edge_is_cut_off_not_refused(box):
    plate, session = read(steps_of("TEST123"), upright(*box))
    assert np.isfinite(session.fed).all()
    assert plate.crop.size > 0


def test_the_crop_is_a_copy():
    seen = frame()
    plate = reader_of(ScriptedSession(steps_of("A1"))).read(seen, upright(100, 80, 96, 40))
    before = plate.crop.copy()
    seen.image[:] = 0
    assert (plate.crop == before).all()


def test_a_dark_crop_looks_like_a_bright_one():
    bright = frame().image
    box = upright(100, 80, 96, 40)
    dark = (bright * 0.4).astype(np.uint8)
    assert np.abs(network_input(bright, box) - network_input(dark, box)).mean() < 0.15


def test_a_flat_crop_is_not_blown_up_to_noise():
    flat = np.full((240, 320, 3), 90, np.uint8)
    flat[::2] += 1
    assert np.abs(network_input(flat, upright(100, 80, 96, 40))).max() < 0.5


def test_margins_are_shares_of_the_box():
    assert cut(np.zeros((240, 320, 3), np.uint8), upright(100, 80, 100, 40), 0.1).shape == (
        48,
        120,
        3,
    )


def test_sharp_is_sharper_than_flat():
    rng = np.random.default_rng(2)
    assert sharpness(rng.integers(0, 255, (40, 90, 3), dtype=np.uint8)) > sharpness(
        np.full((40, 90, 3), 128, np.uint8)
    )


def test_no_plate_shows_in_a_repr():
    plate, _ = read(steps_of("TEST123", doubt=[(4, "I", SURE - 0.5)]))
    assert "TEST123" not in repr(plate)
    assert "TESTI23" not in repr(plate)


TILTED = PlateBox((100, 70, 100, 60), ((100, 70), (200, 100), (200, 130), (100, 100)), 0.9)


def test_straightening_brings_the_corners_to_the_corners():
    image = np.full((240, 320, 3), 20, np.uint8)
    cv2.fillConvexPoly(image, np.array(TILTED.corners, np.int32), (220, 220, 220))
    seen = straightened(image, TILTED, (INPUT_WIDTH_PX, INPUT_HEIGHT_PX), CLOSE)
    assert (seen[5:-5, 5:-5] > 200).all()  # plate everywhere but for the inset


@pytest.mark.parametrize("factor", [1, 6])
def test_a_large_plate_is_straightened_like_a_small_one(factor):
    image = np.full((240, 320, 3), 20, np.uint8)
    cv2.fillConvexPoly(image, np.array(TILTED.corners, np.int32), (220, 220, 220))
    image = cv2.resize(image, None, fx=factor, fy=factor, interpolation=cv2.INTER_NEAREST)
    corners = tuple((x * factor, y * factor) for x, y in TILTED.corners)
    seen = straightened(
        image,
        PlateBox(tuple(v * factor for v in TILTED.box), corners, 0.9),
        (INPUT_WIDTH_PX, INPUT_HEIGHT_PX),
        CLOSE,
    )
    assert (seen[6:-6, 6:-6] > 200).all()


@pytest.mark.parametrize(
    "corners",
    [
        ((196, 80), (100, 80), (100, 120), (196, 120)),  # mirrored
        ((100, 80), (100, 80), (100, 80), (100, 80)),  # a point
        ((100, 80), (196, 120), (196, 80), (100, 120)),  # crossed
        ((float("nan"), 80), (196, 80), (196, 120), (100, 120)),
    ],
)
def test_corners_that_make_no_plate_become_those_of_the_box(corners):
    assert proper_corners(PlateBox((100, 80, 96, 40), corners, 0.9)) == (
        (100, 80),
        (196, 80),
        (196, 120),
        (100, 120),
    )


def test_two_rows_are_laid_side_by_side():
    image = np.full((240, 320, 3), 20, np.uint8)
    image[100:130, 100:160] = 220  # the upper row is light, the lower one dark
    box = PlateBox(
        (100, 100, 60, 60), ((100, 100), (160, 100), (160, 160), (100, 160)), 0.9, rows=2
    )
    seen = network_input(image, box)
    assert seen.shape == (INPUT_HEIGHT_PX, INPUT_WIDTH_PX)
    assert seen[8:30, 4:60].mean() > 0.5
    assert seen[20:40, 70:124].mean() < -0.5


class RowsSession(ScriptedSession):
    """One text for the first picture that it is shown, another for all that look otherwise: two
    rows laid side by side, or the plate as one.
    """

    def __init__(self, as_two_rows, as_one):
        super().__init__(as_two_rows)
        self.one, self.first = as_one, None

    def run(self, output_names, input_feed):
        crop = input_feed["crop"]
        self.first = crop if self.first is None else self.first
        if np.abs(crop - self.first).mean() > 0.7:
            self.logits = self.one
        return super().run(output_names, input_feed)


@pytest.mark.parametrize(
    ("as_two_rows", "as_one", "text", "rows", "asked"),
    [
        (
            steps_of("XYTEST123", doubt=[(i, "9", SURE) for i in range(9)]),
            steps_of("TEST123"),
            "TEST123",
            1,
            2,
        ),
        (steps_of("TEST123"), steps_of("T9"), "TEST123", 2, 1),
    ],
    ids=["dealer's name above one row", "two rows indeed"],
)
def test_whether_there_are_two_rows_the_text_says_by_one_crop_of_each(
    as_two_rows, as_one, text, rows, asked
):
    box = PlateBox(
        (100, 100, 60, 60), ((100, 100), (160, 100), (160, 160), (100, 160)), 0.9, rows=2
    )
    session = RowsSession(as_two_rows, as_one)
    plate = reader_of(session).read(frame(), box)
    assert (plate.text.value, plate.box.rows, session.asked) == (text, rows, asked)


def test_an_issuers_pattern_settles_a_tie_and_says_so():
    plate, _ = read(steps_of("ABC12I4", doubt=[(5, "1", SURE - 0.5)]))
    assert plate.text.value == "ABC1214"
    assert plate.network_text.value == "ABC12I4"
    assert "ABC12I4" in [other.text.value for other in plate.alternatives]


def test_a_clear_reading_in_no_issuers_pattern_keeps_its_place():
    plate, _ = read(steps_of("ABC12I4"))
    assert plate.text.value == "ABC12I4"
    assert plate.network_text is None


def test_the_prior_never_names_a_text_that_the_network_did_not():
    plate, _ = read(steps_of("0LD5A1L"))
    assert plate.text.value == "0LD5A1L"


def test_the_prior_keeps_probabilities_probabilities():
    readings = [Reading("ABC12I4", 0.5, (0.9,) * 7), Reading("ABC1214", 0.3, (0.9,) * 7)]
    after = weighed(readings, np.array([1, 0, 0, 0], np.float32))
    assert sum(reading.probability for reading in after) == pytest.approx(0.8)
    assert after[0].text == "ABC1214"


def test_the_formats_are_those_of_the_training():
    from models.training.render import formats

    for file, text in formats.files().items():
        assert file.read_text(encoding="utf-8") == text, file.name


def test_a_clear_plate_is_looked_at_once_and_an_unsure_one_more_often():
    assert read(steps_of("TEST123"))[1].asked == 1
    plate, session = read(steps_of("TEST123", doubt=[(1, "F", SURE - 0.5)]))
    assert session.asked > 1
    assert plate.text.value == "TEST123"


def test_what_the_first_crop_reads_as_nothing_is_not_looked_at_again():
    plate, session = read(steps_of("", doubt=[(0, "A", SURE - 0.5)]))
    assert session.asked == 1
    assert plate.text.value == ""


def test_readings_of_two_crops_are_averaged():
    best, second = averaged(
        [
            [Reading("A1", 0.9, (0.9, 0.9))],
            [Reading("A7", 0.6, (0.9, 0.6)), Reading("A1", 0.3, (0.9, 0.3))],
        ]
    )
    assert (best.text, second.text) == ("A1", "A7")
    assert (best.probability, second.probability) == (pytest.approx(0.6), pytest.approx(0.3))
    assert best.char_confidence == (0.9, 0.9)


class Asked:
    """Stands for an issuer: says one state, and counts how often it was asked."""

    def __init__(self):
        self.times = 0

    def __call__(self, image, box):
        self.times += 1
        return "US-NV"


@pytest.mark.parametrize(
    ("text", "region", "doubt", "state"),
    [
        ("ABC1234", (9.0, 0, 0, 0), (), "US-NV"),
        ("ABC1234", (0, 0, 0, 0), (), None),  # of no sure region
        ("ABC1234", (0, 9.0, 0, 0), (), None),  # of another continent
        ("ABC1234", (9.0, 0, 0, 0), [(1, "E", SURE - 1.0)], None),  # not sure
        ("ABCDEFG", (9.0, 0, 0, 0), (), None),  # limited: no digit
    ],
)
def test_the_state_is_asked_for_only_where_a_sure_text_may_have_one(text, region, doubt, state):
    asked = Asked()
    reader = reader_of(ScriptedSession(steps_of(text, doubt=doubt), region), asked)
    assert reader.read(frame(), upright(100, 80, 96, 40)).state == state
    assert asked.times == (state is not None)


def test_an_installers_test_plate_has_no_issuer():
    asked = Asked()
    reader = reader_of(ScriptedSession(steps_of(TEST_PLATE), (9.0, 0, 0, 0)), asked)
    plate = reader.read(frame(), upright(100, 80, 96, 40))
    assert (plate.text.value, plate.state, asked.times) == (TEST_PLATE, None, 0)
    assert plate.confidence > 0.9
