"""agent/vision/recognizer.py and ctc.py: from box to network input, and from the network's steps to texts, with a scripted network."""

from datetime import UTC, datetime
from itertools import product

import numpy as np
import pytest

from agent.core.instant import Instant
from agent.core.plate_text import CHARACTERS, MAX_LENGTH
from agent.core.sighting import Frame, PlateBox
from agent.vision.ctc import BLANK, Reading, averaged, decode, softmax, weighed
from agent.vision.recognizer import INPUT_HEIGHT_PX, INPUT_WIDTH_PX, OnnxPlateReader, cut, network_input, sharpness, straightened_input, tilted

STEPS = 32
SURE = 12.0


def steps_of(text, *, doubt=()):
    """Logits that spell `text`; `doubt`: (place, other character, its logit)."""
    logits = np.zeros((STEPS, len(CHARACTERS) + 1), np.float32)
    logits[:, BLANK] = SURE
    for place, character in enumerate(text):
        step = 1 + 3 * place
        logits[step] = 0
        logits[step, 1 + CHARACTERS.index(character)] = SURE
    for place, character, logit in doubt:
        logits[1 + 3 * place, 1 + CHARACTERS.index(character)] = logit
    return logits


class ScriptedSession:
    """Gives the same logits whatever it is shown, and keeps what it was shown."""

    def __init__(self, logits):
        self.logits, self.fed = logits, None

    def run(self, output_names, input_feed):
        assert output_names == ["logits"]
        self.fed = input_feed["crop"]
        return [np.repeat(self.logits[None], len(self.fed), axis=0)]


def upright(x, y, width, height):
    return PlateBox((x, y, width, height), ((x, y), (x + width, y), (x + width, y + height), (x, y + height)), 0.9)


def frame(width=320, height=240):
    image = np.random.default_rng(1).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return Frame(image, Instant(datetime(2026, 1, 1, tzinfo=UTC)), 0)


def read(logits, box=None):
    session = ScriptedSession(logits)
    return OnnxPlateReader(session).read(frame(), box or upright(100, 80, 96, 40)), session


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
    plate, _ = read(steps_of("TEST123", doubt=[(4, "I", SURE - 0.5)]))
    assert plate.text.value == "TEST123"
    assert plate.alternatives[0].text.value == "TESTI23"
    assert 0.3 < plate.alternatives[0].probability < plate.confidence < 0.7
    assert min(plate.char_confidence) == plate.char_confidence[4] < 0.7
    assert all(confidence > 0.9 for i, confidence in enumerate(plate.char_confidence) if i != 4)


def test_nothing_read_is_an_empty_text_without_confidence():
    plate, _ = read(steps_of(""))
    assert (plate.text.value, plate.confidence, plate.char_confidence) == ("", 0.0, ())


def test_a_text_never_outgrows_the_longest_plate():
    endless = np.zeros((2 * MAX_LENGTH + 8, len(CHARACTERS) + 1), np.float32)
    for step in range(len(endless)):
        endless[step, 1 + step % 2] = SURE
    assert len(decode(softmax(endless), 1)[0].text) <= MAX_LENGTH


def test_region_and_state_are_not_claimed():
    plate, _ = read(steps_of("TEST123"))
    assert (plate.region, plate.state) == ("unknown", None)


def test_the_beam_agrees_with_every_alignment_counted_by_hand():
    rng = np.random.default_rng(4)
    probabilities = np.zeros((4, len(CHARACTERS) + 1), np.float32)
    probabilities[:, :3] = rng.dirichlet((1, 1, 1), 4)  # blank, "0", "1"
    totals = {}
    for path in product(range(3), repeat=4):
        text = "".join(CHARACTERS[c - 1] for i, c in enumerate(path) if c and (i == 0 or c != path[i - 1]))
        totals[text] = totals.get(text, 0.0) + float(np.prod([probabilities[i, c] for i, c in enumerate(path)]))
    best = max(totals, key=totals.get)
    reading = decode(probabilities, 3)[0]
    assert reading.text == best
    assert reading.probability == pytest.approx(totals[best], rel=1e-4)


@pytest.mark.parametrize("box", [(-30, -10, 60, 20), (300, 230, 60, 20), (10, 10, 0.2, 0.2), (-50, -50, 20, 20), (500, 500, 10, 10)])
def test_a_box_over_the_edge_is_cut_off_not_refused(box):
    plate, session = read(steps_of("TEST123"), upright(*box))
    assert np.isfinite(session.fed).all()
    assert plate.crop.size > 0


def test_the_crop_is_a_copy():
    seen = frame()
    plate = OnnxPlateReader(ScriptedSession(steps_of("A1"))).read(seen, upright(100, 80, 96, 40))
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
    assert cut(np.zeros((240, 320, 3), np.uint8), upright(100, 80, 100, 40), 0.1, 0.25).shape == (60, 120, 3)


def test_sharp_is_sharper_than_flat():
    rng = np.random.default_rng(2)
    assert sharpness(rng.integers(0, 255, (40, 90, 3), dtype=np.uint8)) > sharpness(np.full((40, 90, 3), 128, np.uint8))


def test_no_plate_shows_in_a_repr():
    plate, _ = read(steps_of("TEST123", doubt=[(4, "I", SURE - 0.5)]))
    assert "TEST123" not in repr(plate)
    assert "TESTI23" not in repr(plate)


TILTED = PlateBox((100, 70, 100, 60), ((100, 70), (200, 100), (200, 130), (100, 100)), 0.9)


def test_a_tilted_plate_is_read_upright_and_straightened():
    plate, session = read(steps_of("TEST123"), TILTED)
    assert session.fed.shape[0] == 2
    assert plate.text.value == "TEST123"
    assert plate.confidence > 0.99


def test_straightening_brings_the_corners_to_the_corners():
    image = np.zeros((240, 320, 3), np.uint8)
    corners = np.array(TILTED.corners, np.int32)
    image[:] = 20
    import cv2

    cv2.fillConvexPoly(image, corners, (220, 220, 220))
    seen = straightened_input(image, TILTED)
    assert (seen[4:-4, 3:-3] > 0).all()  # plate everywhere but for the margin


@pytest.mark.parametrize(
    "corners",
    [
        ((100, 80), (196, 80), (196, 120), (100, 120)),  # the box itself
        ((196, 80), (100, 80), (100, 120), (196, 120)),  # mirrored
        ((100, 80), (100, 80), (100, 80), (100, 80)),  # a point
        ((100, 80), (196, 120), (196, 80), (100, 120)),  # crossed
    ],
)
def test_corners_that_add_nothing_are_left_alone(corners):
    assert not tilted(PlateBox((100, 80, 96, 40), corners, 0.9))


def test_readings_of_several_crops_are_averaged():
    sure, unsure = Reading("A1", 0.9, (0.9, 0.9)), Reading("A7", 0.6, (0.9, 0.6))
    best, second = averaged([[sure], [unsure, Reading("A1", 0.3, (0.9, 0.3))]], 2)
    assert (best.text, second.text) == ("A1", "A7")
    assert best.probability == pytest.approx(0.6)
    assert second.probability == pytest.approx(0.3)
    assert best.char_confidence == (0.9, 0.9)


def test_a_doubtful_extra_character_is_dropped():
    readings = [Reading("9TEST123", 0.6, (0.6,) * 8), Reading("TEST123", 0.3, (0.9,) * 7)]
    best, second = weighed(readings)
    assert (best.text, second.text) == ("TEST123", "9TEST123")
    assert best.probability + second.probability < 1


def test_a_sure_long_text_keeps_its_place():
    best, _ = weighed([Reading("TEST1234", 0.9, (0.9,) * 8), Reading("TEST123", 0.05, (0.9,) * 7)])
    assert best.text == "TEST1234"
    assert 0.7 < best.probability < 0.9


def test_short_texts_keep_their_probabilities():
    (only,) = weighed([Reading("TEST123", 0.8, (0.9,) * 7)])
    assert only.probability == pytest.approx(0.8)
