"""agent/vision/whole/stack_series.py: what texts may be left of a plate with stacked characters."""

import pytest

from agent.vision.syntax import REGIONS, formats, pattern
from agent.vision.whole.stack_series import may_lack_a_stack, no_stack
from models.training.render.formats import without_stack
from models.training.render.syntax import tables

US = (0.97, 0.01, 0.01, 0.01)


@pytest.mark.parametrize("text", ["5337578", "757273", "P150198", "01V161", "834S00", "RM9582"])
def test_a_text_that_a_stacked_series_may_be_read_as_is_looked_at_again(text):
    assert may_lack_a_stack(text, US)


@pytest.mark.parametrize("text", ["TST1234", "7TST123", "123TST", "TST123", "AB12345"])
def test_a_usual_series_that_none_is_read_as_is_not(text):
    assert not may_lack_a_stack(text, US)


def test_a_pattern_of_no_listed_series_is_looked_at_again():
    assert pattern("9AAAAA9A") not in formats()["us"]
    assert may_lack_a_stack("9TSTST9A", US)


def test_the_likeliest_regions_series_count():
    """`AA999AA` is one of the US and of Europe, and none of the other two."""
    for region in REGIONS:
        likely = [0.9 if one == region else 0.03 for one in REGIONS]
        assert may_lack_a_stack("8315217", likely)
        assert may_lack_a_stack("TS123TS", likely) is (region in {"uk", "br"})


@pytest.mark.parametrize(
    ("series", "left"),
    [
        ("[AA]999", {"999", "A999", "9999"}),
        ("A[99A]9", {"A9", "AA9", "A99"}),
        ("9[AA]-9[AA]", {"99", "9A9", "999", "99A", "9A9A", "999A", "9999", "9A99"}),
        ("AA99", {"AA99"}),
    ],
)
def test_a_stack_is_left_out_or_taken_for_a_character(series, left):
    assert without_stack(series) == left


def test_each_stacked_series_of_the_tables_is_looked_for_however_it_is_read():
    for _, series, _ in tables()["stacked"]["series"]:
        for region in REGIONS:
            assert not without_stack(series) & no_stack()[region], series
