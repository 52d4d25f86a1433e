"""agent/vision/whole/ and how the reader keeps to it: a read that may not be of a whole plate is
never sure, and says why.
"""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from agent.bulk.reader import Picture
from agent.commands.read_output import to_json
from agent.core.reading.plate_text import CHARACTERS
from agent.core.reading.sighting import MOST_WHEN_LIMITED, Frame, PlateBox
from agent.core.reasons import Limit
from agent.core.time.instant import Instant
from agent.core.wire.test_plate import ALPHABET, is_test_plate, plate_for
from agent.vision.ctc import Reading
from agent.vision.plate_views import View
from agent.vision.recognizer import OnnxPlateReader
from agent.vision.syntax import REGIONS
from agent.vision.whole.limits import NEAR_EDGE, SELDOM_CUT, by_place, by_text
from agent.vision.whole.second_look import NOT_SURE
from agent.vision.whole.sign_words import words
from agent.vision.whole.wholeness import Missing

WIDTH, HEIGHT = 320, 240
WIDE, HIGH = 96.0, 40.0
NEAR, SELDOM = NEAR_EDGE * HIGH, SELDOM_CUT * HIGH
FEATURES = np.zeros((160, 32), np.float32)
CROP = np.zeros((48, 128), np.float32)


def upright(x, y, **more):
    corners = ((x, y), (x + WIDE, y), (x + WIDE, y + HIGH), (x, y + HIGH))
    return PlateBox((x, y, WIDE, HIGH), corners, 0.9, **more)


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (NEAR - 1, 100),
        (100, NEAR - 1),
        (WIDTH - WIDE - NEAR + 1, 100),
        (100, HEIGHT - HIGH - NEAR + 1),
        (-20, 100),
        (WIDTH - 30, 100),
        (float("nan"), 100),
    ],
)
def test_a_plate_at_any_edge_of_the_frame_may_go_on_beyond_it(x, y):
    assert by_place(upright(x, y), WIDTH, HEIGHT) == {Limit.CUT_BY_EDGE}


def test_a_plate_that_keeps_its_distance_is_whole():
    for x in (NEAR + 1, 100, WIDTH - WIDE - NEAR - 1):
        for y in (NEAR + 1, 100, HEIGHT - HIGH - NEAR - 1):
            assert by_place(upright(x, y), WIDTH, HEIGHT) == frozenset()


def test_a_tilted_plate_is_judged_by_its_corners_and_a_cutting_not_at_all():
    tilted = replace(upright(100, 100), corners=((2, 90), (196, 100), (196, 140), (100, 140)))
    assert by_place(tilted, WIDTH, HEIGHT) == {Limit.CUT_BY_EDGE}
    assert by_place(upright(0, 0, whole=True), int(WIDE), int(HIGH)) == frozenset()


@pytest.mark.parametrize(
    ("x", "y", "confidence", "told"),
    [
        (SELDOM - 1, 100, 0.99, MOST_WHEN_LIMITED),
        (SELDOM + 1, 100, 0.99, NOT_SURE),
        (SELDOM + 1, 100, 0.7, 0.7),
        (100, SELDOM - 1, 0.99, MOST_WHEN_LIMITED),
        (100, SELDOM + 1, 0.99, NOT_SURE),
        (WIDTH - WIDE - SELDOM - 1, 100, 0.99, NOT_SURE),
        (100, HEIGHT - HIGH - SELDOM - 1, 0.99, NOT_SURE),
        (-20, 100, 0.99, MOST_WHEN_LIMITED),
        (float("nan"), 100, 0.99, MOST_WHEN_LIMITED),
    ],
)
def test_a_plate_a_little_way_from_the_edge_is_told_as_likely_and_never_as_sure(
    x, y, confidence, told
):
    seen = read(Seeing("TST1234", confidence), upright(x, y))
    assert (seen.limits, seen.confidence) == ({Limit.CUT_BY_EDGE}, told)


@pytest.mark.parametrize("other", [Limit.CUT_BY_MASK, Limit.OVERLAY, Limit.NO_DIGIT])
def test_what_else_limits_such_a_plate_makes_it_doubtful(other):
    text = "PARCEL" if other is Limit.NO_DIGIT else "TST1234"
    of_place = frozenset({other}) - {Limit.NO_DIGIT}
    seen = read(Seeing(text), upright(SELDOM + 1, 100, limits=of_place))
    assert (seen.limits, seen.confidence) == ({Limit.CUT_BY_EDGE, other}, MOST_WHEN_LIMITED)


@pytest.mark.parametrize(
    ("text", "region", "expected"),
    [
        ("TST1234", "us", set()),
        ("PARCEL", "us", {Limit.NO_DIGIT}),
        ("PARCEL", "unknown", {Limit.NO_DIGIT}),
        ("CAM", "us", {Limit.NO_DIGIT, Limit.TOO_SHORT}),
        ("T12", "unknown", {Limit.TOO_SHORT}),
        ("TS123", "us", set()),
        ("TS123", "br", {Limit.TOO_SHORT}),
        ("TST123", "br", {Limit.TOO_SHORT}),
        ("TST1234", "br", set()),
        ("TS123", "eu", {Limit.TOO_SHORT}),
        ("TEST12345", "unknown", set()),
        ("TEST123456", "unknown", {Limit.TOO_LONG}),
        ("", "unknown", set()),
    ],
)
def test_what_a_text_lacks(text, region, expected):
    assert by_text(text, region) == expected


def test_where_issuers_write_ten_characters_eleven_are_two_plates():
    assert by_text("TEST123456", "unknown", longest=10) == frozenset()
    assert by_text("TEST1234567", "unknown", longest=10) == {Limit.TOO_LONG}


class Seeing(OnnxPlateReader):
    """Reads this text with this confidence, whatever it is shown; `mirror`: in exchanged sides."""

    def __init__(
        self,
        text,
        confidence=0.99,
        as_one_row=0.0,
        *,
        whole=True,
        mirror=("", 0.0),
        longest=9,
        right=0.5,
    ):
        missing = Missing(part=not whole, right=right)
        super().__init__(None, lambda *seen: self.weighed.append(seen) or missing, longest=longest)
        self._views.look, self._views.view = self.look, lambda _image, _box, first: first
        self._views.seen = lambda _crop: view(*mirror)
        self.text, self.confidence, self.as_one_row = text, confidence, as_one_row
        self.weighed = []

    def look(self, _image, box, _inset):
        sure = self.as_one_row if box.rows == 1 and self.as_one_row else self.confidence
        return view(self.text, sure)


def view(text, confidence):
    """What such a network would have seen, each character three steps after the other."""
    steps = np.zeros((32, 1 + len(CHARACTERS)), np.float32)
    steps[:, 0] = 1.0
    for place, character in enumerate(text):
        steps[4 + 3 * place, [0, 1 + CHARACTERS.index(character)]] = 0.0, 1.0
    found = Reading(text, confidence, (0.99,) * len(text))
    regions = np.zeros(len(REGIONS), np.float32)
    return View([found], regions, [found], steps, FEATURES, CROP)


def read(reader, box):
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    return reader.read(Frame(image, Instant(datetime(2026, 1, 1, tzinfo=UTC)), 0), box)


def test_a_whole_plate_is_as_sure_as_it_was_read():
    seen = read(Seeing("TST1234"), upright(100, 100))
    assert (seen.confidence, seen.limits) == (0.99, frozenset())


def test_a_plate_of_ten_characters_is_sure_only_where_such_are_issued():
    assert read(Seeing("TS12TS1234"), upright(100, 100)).limits == {Limit.TOO_LONG}
    seen = read(Seeing("TS12TS1234", longest=10), upright(100, 100))
    assert (seen.confidence, seen.limits) == (0.99, frozenset())


@pytest.mark.parametrize(
    ("text", "box", "limits"),
    [
        ("TST1234", upright(2, 100), {Limit.CUT_BY_EDGE}),
        ("PARCEL", upright(100, 100), {Limit.NO_DIGIT}),
        (
            "TST1234",
            upright(100, 100, limits=frozenset({Limit.CUT_BY_MASK})),
            {Limit.CUT_BY_MASK},
        ),
        ("CAM", upright(2, 100), {Limit.CUT_BY_EDGE, Limit.NO_DIGIT, Limit.TOO_SHORT}),
    ],
)
def test_what_limits_a_read_caps_it_and_stands_in_it(text, box, limits):
    seen = read(Seeing(text), box)
    assert seen.limits == limits
    assert seen.confidence == MOST_WHEN_LIMITED
    assert seen.text.value == text, "a person still sees what was read"


def test_a_limit_makes_nothing_surer():
    assert read(Seeing("PARCEL", 0.2), upright(100, 100)).confidence == 0.2


def test_one_row_read_of_two_is_never_sure():
    square = ((100, 100), (150, 100), (150, 140), (100, 140))
    two = replace(upright(100, 100, rows=2), box=(100, 100, 50, 40), corners=square)
    seen = read(Seeing("TST1234", 0.6, as_one_row=0.99), two)
    assert (seen.limits, seen.confidence) == ({Limit.ONE_ROW_OF_TWO}, MOST_WHEN_LIMITED)
    assert read(Seeing("TST1234", 0.98), two).limits == frozenset(), "both rows were read"


def test_a_name_above_a_broad_plates_row_is_no_row():
    seen = read(Seeing("TST1234", 0.6, as_one_row=0.99), upright(100, 100, rows=2))
    assert (seen.limits, seen.confidence) == (frozenset(), 0.99)


def test_a_persons_cutting_stays_legible_though_it_is_limited():
    cutting = upright(100, 100, whole=True, least_text=0.57)
    assert read(Seeing("PARCEL"), cutting).confidence == 0.57


@pytest.mark.parametrize(
    ("right", "least_text", "told"),
    [(0.99, 0.0, NOT_SURE), (0.7, 0.0, 0.7), (0.2, 0.0, 0.2), (0.0, 0.0, 0.0), (0.2, 0.57, 0.57)],
)
def test_a_plate_that_does_not_look_whole_is_never_sure(right, least_text, told):
    """What is legible enough to be a plate at all stays one."""
    seeing = Seeing("TST1234", whole=False, right=right)
    seen = read(seeing, replace(upright(100, 100), least_text=least_text))
    assert (seen.limits, seen.confidence) == ({Limit.HIDDEN}, told)


def test_a_text_that_is_less_likely_than_a_hidden_plates_stays_so():
    assert read(Seeing("TST1234", 0.4, whole=False, right=0.8), upright(100, 100)).confidence == 0.4


@pytest.mark.parametrize(("right", "told"), [(0.8, MOST_WHEN_LIMITED), (0.3, 0.3)])
def test_what_lacks_a_digit_and_may_be_hidden_is_told_with_the_less_of_both(right, told):
    seen = read(Seeing("QRSTXZ", whole=False, right=right), upright(100, 100))
    assert (seen.limits, seen.confidence) == ({Limit.NO_DIGIT}, told)


def test_what_is_judged_is_the_text_where_it_stands_and_what_the_network_made_of_it():
    seeing = Seeing("TST1234")
    read(seeing, upright(100, 100))
    ((_, box, sight),) = seeing.weighed
    assert box == upright(100, 100)
    assert sight.text == "TST1234"
    assert np.diff(sight.places) == pytest.approx([3 / 32 / 0.96] * 6)
    assert sight.places[0] == pytest.approx((4.5 / 32 - 0.02) / 0.96)
    assert sight.features is FEATURES


def test_a_rehearsals_plate_is_whole_by_its_check_character_and_needs_no_digit():
    letters = plate_for([ALPHABET.index(letter) for letter in "ACEF"])
    assert is_test_plate(letters)
    assert by_text(letters, "us") == frozenset()
    seeing = Seeing(letters, whole=False)
    assert read(seeing, upright(100, 100)).limits == frozenset()
    assert read(seeing, upright(2, 100)).limits == {Limit.CUT_BY_EDGE}
    swapped = letters[:5] + letters[6] + letters[5] + letters[7:]
    assert by_text(swapped, "us") == {Limit.NO_DIGIT}, "its check character is wrong"


def test_a_read_that_will_be_sure_of_nothing_is_not_weighed():
    for text, confidence, box in (
        ("TST1234", 0.2, upright(100, 100)),
        ("TST1234", 0.99, upright(2, 100)),
        ("TST1234567", 0.99, upright(100, 100)),
        ("TST1234", 0.99, upright(100, 100, whole=True)),
    ):
        seeing = Seeing(text, confidence, whole=False)
        assert Limit.HIDDEN not in read(seeing, box).limits
        assert seeing.weighed == []


def test_a_word_is_weighed_since_stacked_digits_may_have_been_left_out_of_it():
    seeing = Seeing("PARCEL", 0.99, whole=False)
    assert read(seeing, upright(100, 100)).limits == {Limit.NO_DIGIT}
    assert len(seeing.weighed) == 1


@pytest.mark.parametrize(
    ("mirror", "limits"),
    [
        (("HT81", 0.99), {Limit.MIRRORED}),
        (("HT81", 0.9), set()),  # read less surely the other way round
        (("T8H101", 0.99), set()),  # the same both ways
        (("", 0.0), set()),
    ],
)
def test_what_reads_more_surely_with_its_sides_exchanged_is_mirrored(mirror, limits):
    seen = read(Seeing("T8H101", 0.95, mirror=mirror), upright(100, 100))
    assert seen.limits == limits


def test_a_character_that_no_mirrored_one_looks_like_saves_the_second_look():
    assert (
        read(Seeing("TST4K81", 0.95, mirror=("1234", 1.0)), upright(100, 100)).limits == frozenset()
    )


def test_what_read_prints_names_the_limits():
    seen = read(Seeing("CAM"), upright(2, 100))
    (plate,) = json.loads(to_json(Picture("a.jpg", (seen,), 1.0)))["plates"]
    assert plate["limits"] == ["cut-by-edge", "no-digit", "too-short"]
    assert plate["confidence"] == MOST_WHEN_LIMITED


def test_every_limit_is_documented():
    page = (Path(__file__).parents[2] / "docs/ref/read.md").read_text(encoding="utf-8")
    section = page.partition("## Limits")[2].partition("## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == [*map(str, Limit)]


@pytest.mark.parametrize(
    "text",
    [
        *(
            "SPEED30",
            "EXIT25",
            "ROUTE66",
            "TEMPO30",
            "TEMP030",
            "SALIDA12",
            "AUSFAHRT5",
            "HOUSE221B",
        ),
        *(
            "12EXIT",
            "TAXI555",
            "UNIT1138",
            "FLEET204",
            "CAMERA2",
            "CAM05",
            "BUS42",
            "REC12",
            "SL0W10",
        ),
        *("20261128", "28112026", "11282026"),
    ],
)
def test_what_signs_vehicles_and_overlays_write_is_no_plate(text):
    assert Limit.WORDING in by_text(text, "unknown")
    assert Limit.WORDING in by_text(text, "us")


@pytest.mark.parametrize(
    "text",
    [
        *("CAM123", "BUS1234", "1CAM234", "MAX4567", "ABC123", "7TST001", "BNO1234", "AB12CDE"),
        *("20261328", "19991128", "2026112", "ABCD123", "EXT1234"),
    ],
)
def test_a_series_and_what_only_looks_like_a_word_or_a_date_is_not_judged_by_it(text):
    assert Limit.WORDING not in by_text(text, "us")


def test_the_words_are_written_as_plates_are_and_none_is_too_short():
    long, short = words()
    assert len(long) > 200
    assert {len(word) for word in short} == {3}
    assert all(set(word) <= set(CHARACTERS) for word in (*long, *short))
