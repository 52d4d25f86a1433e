"""agent/vision/whole/second_look.py: stacked characters that the first look left out are read by a
network of their own, and a text that may lack something is never sure.
"""

from dataclasses import replace

import numpy as np
import pytest

from agent.core.reading.plate_text import CHARACTERS
from agent.core.reading.sighting import MOST_WHEN_LIMITED, PlateBox
from agent.core.reasons import Limit
from agent.vision.ctc import Reading
from agent.vision.plate_views import CLOSE, LOOSE, TIGHT, View
from agent.vision.syntax import REGIONS
from agent.vision.whole.second_look import NOT_SURE, SecondLook, common, gained, mended
from agent.vision.whole.wholeness import Missing

IMAGE = np.zeros((240, 320, 3), np.uint8)
CORNERS = ((100, 100), (196, 100), (196, 140), (100, 140))
BOX = PlateBox((100, 100, 96, 40), CORNERS, 0.9)
CROP = np.linspace(-1, 1, 48 * 128, dtype=np.float32).reshape(48, 128)
SUSPECTED = Missing(perhaps_stacked=True)
LEFT_OUT = Missing(stacked=True, perhaps_stacked=True)
COVERED = Missing(part=True, perhaps_stacked=True)


def view(text, probability=0.95, us=0.9):
    steps = np.full((32, 1 + len(CHARACTERS)), 1e-6, np.float32)
    steps[:, 0] = 1.0
    for place, character in enumerate(text):
        steps[4 + 3 * place, [0, 1 + CHARACTERS.index(character)]] = 0.0, 1.0
    found = Reading(text, probability, (probability,) * len(text))
    features = np.zeros((160, 32), np.float32)
    elsewhere = (1 - us) / (len(REGIONS) - 1)
    regions = np.array([us, *[elsewhere] * (len(REGIONS) - 1)], np.float32)
    return View([found], regions, [found], steps, features, CROP)


class Reads:
    """A network that says this of the close crop, and that of two more; nothing mirrored."""

    def __init__(self, once="", probability=0.95, again=None, later=None):
        self.once, self.probability = once, probability
        self.again = once if again is None else again
        self.later = probability if later is None else later
        self.asked = []

    def look(self, _image, _box, inset):
        self.asked.append(inset)
        if inset == CLOSE:
            return view(self.once, self.probability)
        return view(self.again, self.later)

    def seen(self, _crop):
        return view("", 0.0)


def told(first, missing, stacked, probability=0.95):
    look = SecondLook(Reads(), lambda *_seen: missing, stacked)
    seen, found = look(IMAGE, BOX, view(first, probability))
    return seen.best.text, min(seen.best.probability, seen.most), found


def looked(first, missing, stacked, box=BOX):
    look = SecondLook(Reads(), lambda *_seen: missing, stacked)
    seen, found = look(IMAGE, box, view(first))
    return seen.best.text, found


HIDDEN = frozenset({Limit.HIDDEN})


@pytest.mark.parametrize("missing", [SUSPECTED, LEFT_OUT])
@pytest.mark.parametrize("first", ["1234", "61234", "A1234"])
def test_a_stack_that_was_left_out_or_taken_for_one_character_is_read(first, missing):
    assert looked(first, missing, Reads("AB1234")) == ("AB1234", frozenset())


def test_a_text_with_its_stack_is_as_sure_as_the_network_that_read_it():
    look = SecondLook(Reads(), lambda *_seen: LEFT_OUT, Reads("AB1234", 0.62))
    assert look(IMAGE, BOX, view("1234", 0.99))[0].best.probability == 0.62


@pytest.mark.parametrize(
    ("first", "missing", "other", "stacked"),
    [
        ("1234", LEFT_OUT, "AB1234", True),
        ("CQ1285", LEFT_OUT, "MW1285", True),
        ("1234", SUSPECTED, "1234", False),
        ("1234", SUSPECTED, "AB9876", False),
    ],
)
def test_what_is_read_with_a_stack_says_so(first, missing, other, stacked):
    look = SecondLook(Reads(), lambda *_seen: missing, Reads(other))
    assert look(IMAGE, BOX, view(first))[0].stacked is stacked


def reviewed(told, probability, first, own):
    """What the reviewer made of a plate that the recogniser's own look read otherwise."""
    return replace(view(told, probability), first=view(first, own).best)


@pytest.mark.parametrize(
    ("guess", "probability"), [("LNM1286", 0.4), ("LNM1286", 0.2), ("LNM1286", 0.05)]
)
def test_a_stack_is_put_into_what_the_recogniser_read_where_the_reviewer_guesses_at_it(
    guess, probability
):
    look = SecondLook(Reads(), lambda *_seen: SUSPECTED, Reads("UM1286", 0.8))
    seen, found = look(IMAGE, BOX, reviewed(guess, probability, "M1286", 0.6))
    assert (seen.best.text, found) == ("UM1286", frozenset())
    assert seen.best.probability == pytest.approx(0.8)


@pytest.mark.parametrize("missing", [SUSPECTED, LEFT_OUT])
def test_a_stack_at_which_the_reviewer_guessed_rightly_is_as_sure_as_who_reads_stacks(missing):
    look = SecondLook(Reads(), lambda *_seen: missing, Reads("UM1286", 0.97))
    seen, found = look(IMAGE, BOX, reviewed("UM1286", 0.6, "M1286", 0.5))
    assert (seen.best.text, seen.stacked, found) == ("UM1286", True, frozenset())
    assert seen.best.probability == pytest.approx(0.97)


def test_what_both_look_at_alike_has_no_stack():
    look = SecondLook(Reads(), lambda *_seen: LEFT_OUT, Reads("UM1286", 0.97))
    seen, found = look(IMAGE, BOX, reviewed("UM1286", 0.6, "UM1286", 0.5))
    assert (seen.best.probability, seen.stacked, found) == (0.6, False, frozenset())


def test_what_neither_of_the_two_reads_is_not_looked_at():
    stacked = Reads("UM1286", 0.8)
    look = SecondLook(Reads(), lambda *_seen: SUSPECTED, stacked)
    given = reviewed("LNM1286", 0.05, "M1286", 0.08)
    assert look(IMAGE, BOX, given) == (given, frozenset())
    assert stacked.asked == []


def test_a_stack_that_would_fit_what_is_told_is_put_in_there_too():
    look = SecondLook(Reads(), lambda *_seen: SUSPECTED, Reads("UM1286", 0.8))
    seen, _found = look(IMAGE, BOX, reviewed("M1286", 0.6, "PK947", 0.3))
    assert seen.best.text == "UM1286"


def test_a_series_with_stacks_is_looked_at_whichever_of_the_two_reads_it():
    """P150198 is what is read of such a series, TST1234 is not."""
    stacked = Reads("BF150198")
    look = SecondLook(Reads(), lambda *_seen: Missing(), stacked)
    assert look(IMAGE, BOX, reviewed("TST1234", 0.5, "P150198", 0.4))[0].best.text == "BF150198"


class Turned(Reads):
    """Reads this when left and right are exchanged."""

    def __init__(self, text, probability):
        super().__init__()
        self.turned = view(text, probability)

    def seen(self, crop):
        assert (crop == CROP[:, ::-1]).all(), "of what was looked at, left and right exchanged"
        return self.turned


@pytest.mark.parametrize(
    ("turned", "mirrored"),
    [(("TOH8IT", 0.8), True), (("TOH8IT", 0.4), False), (("TI8HOT", 0.8), False)],
)
def test_a_mirrored_plate_that_several_looks_make_sure_is_still_found(turned, mirrored):
    """One look at it turned is surer than one look at it was, though not than several together."""
    look = SecondLook(Turned(*turned), lambda *_seen: Missing(), None)
    _, found = look(IMAGE, BOX, reviewed("TI8HOT", 0.93, "TI8H0T", 0.5))
    assert found == frozenset({Limit.MIRRORED} if mirrored else ())


def test_nothing_suspected_nothing_asked():
    stacked = Reads("ATST1234")
    assert looked("TST1234", Missing(), stacked) == ("TST1234", frozenset())
    assert stacked.asked == []


@pytest.mark.parametrize(
    ("text", "us", "read"),
    [
        ("P150198", 0.9, "BF150198"),
        ("P150198", 0.0, "BF150198"),
        ("TST1234", 0.9, "TST1234"),
    ],
)
def test_a_text_that_a_stacked_series_may_be_read_as_is_looked_at_in_any_case(text, us, read):
    stacked = Reads("BF150198" if text == "P150198" else "ATST1234")
    look = SecondLook(Reads(), lambda *_seen: Missing(), stacked)
    assert look(IMAGE, BOX, view(text, us=us))[0].best.text == read
    assert bool(stacked.asked) is (read != text)


@pytest.mark.parametrize("other", ["AB9876", "134", "", "AB12345678"])
def test_what_is_not_the_text_with_a_stack_put_in_is_not_told_but_nothing_else_surely(other):
    said = Reads(other, 0.6)
    assert told("1234", SUSPECTED, said) == ("1234", NOT_SURE, frozenset())
    assert told("1234", SUSPECTED, said, 0.5) == ("1234", 0.5, frozenset())
    assert looked("1234", LEFT_OUT, said) == ("1234", HIDDEN), "something was left out all the same"


def test_the_same_text_read_as_half_surely_leaves_the_first_look_as_it_is():
    assert told("1234", SUSPECTED, Reads("1234", 0.3)) == ("1234", 0.95, frozenset())
    assert told("1234", SUSPECTED, Reads("1234", 0.29)) == ("1234", NOT_SURE, frozenset())


def test_where_no_series_would_leave_such_a_text_what_else_is_seen_casts_no_doubt():
    said = Reads("CTS6584", 0.6)
    assert told("GTS6584", SUSPECTED, said) == ("GTS6584", 0.95, frozenset())
    assert said.asked == [CLOSE]


def test_three_crops_that_read_the_same_text_after_all_leave_it_as_it_is():
    said = Reads("BF150198", 0.5, again="P150198", later=0.8)
    assert told("P150198", SUSPECTED, said) == ("P150198", 0.95, frozenset())


def test_a_stack_taken_for_two_characters_is_read_where_one_was_surely_left_out():
    assert looked("CQ1285", LEFT_OUT, Reads("MW1285"))[0] == "MW1285"
    assert told("CQ1285", SUSPECTED, Reads("MW1285")) == ("CQ1285", NOT_SURE, frozenset())


def test_several_crops_must_bear_the_first_one_out():
    assert looked("1234", LEFT_OUT, Reads("AB1234", 0.5, "AB9876", 0.6)) == ("1234", HIDDEN)


def confidence_of(said):
    look = SecondLook(Reads(), lambda *_seen: LEFT_OUT, said)
    seen, _found = look(IMAGE, BOX, view("1234", 0.99))
    return min(seen.best.probability, seen.most)


def test_a_stack_is_sure_only_where_each_crop_is():
    said = Reads("AB1234", 0.98, later=0.95)
    assert confidence_of(said) == pytest.approx(0.96)
    assert said.asked == [CLOSE, LOOSE, TIGHT], "a first crop that is sure is not enough"
    assert confidence_of(Reads("AB1234", 0.99, later=0.89)) == NOT_SURE
    assert confidence_of(Reads("AB1234", 0.6)) == pytest.approx(0.6)


def test_a_stack_that_is_hardly_read_is_put_only_into_a_text_that_surely_lacks_one():
    assert told("1234", SUSPECTED, Reads("AB1234", 0.29)) == ("1234", NOT_SURE, frozenset())
    assert looked("1234", SUSPECTED, Reads("AB1234", 0.3))[0] == "AB1234"
    assert looked("1234", LEFT_OUT, Reads("AB1234", 0.1))[0] == "AB1234"


def test_the_same_text_read_surely_by_both_has_no_stack():
    assert looked("1234", LEFT_OUT, Reads("1234", 0.9)) == ("1234", frozenset())
    assert looked("1234", LEFT_OUT, Reads("1234", 0.89)) == ("1234", HIDDEN)


@pytest.mark.parametrize("said", ["AB1234", "1234", "77"])
def test_no_stack_shows_what_something_hides(said):
    text, found = looked("1234", COVERED, Reads(said, 0.99))
    assert found == HIDDEN
    assert text == ("AB1234" if said == "AB1234" else "1234"), "a person still sees all of it"


@pytest.mark.parametrize(
    ("missing", "most"),
    [
        (Missing(), 1.0),
        (LEFT_OUT, MOST_WHEN_LIMITED),
        (Missing(part=True, right=0.99), NOT_SURE),
        (Missing(part=True, right=0.3), 0.3),
        (Missing(part=True, stacked=True, right=0.8), MOST_WHEN_LIMITED),
    ],
    ids=["whole", "a stack left out", "perhaps hidden", "hidden", "both"],
)
def test_what_may_not_be_whole_is_told_with_no_more_than_is_known_of_such(missing, most):
    seen, _ = SecondLook(Reads(), lambda *_seen: missing, None)(IMAGE, BOX, view("1234"))
    assert seen.most == most


def test_without_such_a_network_what_was_left_out_is_never_sure():
    assert looked("1234", LEFT_OUT, None) == ("1234", HIDDEN)


@pytest.mark.parametrize(
    ("probability", "missing", "text", "found"),
    [
        (0.2, Missing(), "AB1234", frozenset()),
        (0.2, COVERED, "AB1234", HIDDEN),
        (0.09, Missing(), "1234", frozenset()),  # of no plate, most times
    ],
)
def test_what_is_read_badly_for_its_stack_is_read_with_it(probability, missing, text, found):
    look = SecondLook(Reads(), lambda *_seen: missing, Reads("AB1234"))
    seen, limits = look(IMAGE, BOX, view("1234", probability))
    assert (seen.best.text, limits) == (text, found)


def test_two_rows_have_no_stack():
    two = PlateBox((100, 100, 60, 50), CORNERS, 0.9, rows=2)
    assert looked("1234", LEFT_OUT, Reads("AB1234"), two) == ("1234", HIDDEN)


@pytest.mark.parametrize(
    ("text", "longer", "found"),
    [
        ("1234", "AB1234", True),
        ("51234", "AB1234", True),
        ("9879X", "AB9879YW", True),
        ("A5559", "AVF5559", True),
        ("1234", "1234", False),
        ("1234", "A1B2C3D4E", False),
        ("F32248", "PP3224CH", True),
        ("F32248", "PP32H1", False),
        ("F32248", "PP324CHY", False),
        ("12", "AB12", True),
        ("5457I", "FB4571", True),
        ("12", "AB13", False),
        ("5671234", "AB1234", False),
    ],
)
def test_a_stack_is_put_in_or_stands_for_one_character(text, longer, found):
    assert gained(text, longer) is found


def test_the_longest_common_subsequence():
    assert [common(*two) for two in (("ABCD", "BXD"), ("", "A"), ("AAB", "ABA"))] == [2, 0, 2]


@pytest.mark.parametrize(
    ("text", "other", "found"),
    [
        ("CQ1285", "MW1285", True),
        ("W220SG", "W220CW", True),
        ("1234", "AB1234", True),
        ("8O3S", "LE803S", True),
        ("CQ1285", "MWB285", False),
        ("CQ1285", "M1285", False),
        ("12", "AB", False),
    ],
)
def test_a_stack_that_was_surely_left_out_may_have_been_read_as_two_characters(text, other, found):
    assert mended(text, other) is found
