"""Which texts are proposed that no read has whole, how many of them, and how much several reads of
one view weigh: small tables, worked out by hand.
"""

from dataclasses import replace

import pytest

from agent.core.reading.opinions import opinion_of
from agent.core.reading.plate_text import MAX_LENGTH
from agent.core.reading.pooling import effective_number, pool, proposals
from tests.support.judging import read


@pytest.mark.parametrize(
    ("pivot", "shares", "proposed"),
    [
        ("ABC", {"ABC": 1.0}, []),
        ("ABC", {"ABC": 0.5, "AXC": 0.3, "ABY": 0.2}, []),
        ("AXC", {"AXC": 0.4, "ABY": 0.35, "ZBC": 0.25}, ["ABC"]),
        # The best at every place; then the closest second choice first: E is nearer to D than Z to
        # A, and what somebody lists already is left out.
        (
            "ABKD",
            {"ZBCE": 0.2, "AXCE": 0.25, "AYCD": 0.3, "ABKD": 0.25},
            ["ABCD", "ABCE", "ZBCD"],
        ),
        # An extra character before a place, which others do not have.
        ("ABCRS", {"ABCRS": 0.35, "ABXCRT": 0.4, "ABXCRU": 0.25}, ["ABXCRS", "ABCRT"]),
        ("ABCRS", {"ABCRS": 0.3, "ABXYCRS": 0.4, "ABXYCRT": 0.3}, ["ABYCRS", "ABXCRS"]),
        # Nothing at all is no plate.
        ("AB", {"A": 0.5, "B": 0.5}, []),
    ],
)
def test_proposals(pivot, shares, proposed):
    assert proposals(pivot, shares) == proposed


def test_no_more_than_six_and_in_the_order_of_the_places():
    long = "BCDEFGHJKLMA"
    assert len(long) == MAX_LENGTH
    assert proposals("A", {"A": 0.4, long: 0.6}) == [
        long[:place] + long[place + 1 :] for place in range(6)
    ]


def test_a_text_of_one_character_may_be_proposed():
    assert proposals("AB", {"A": 0.45, "AB": 0.35, "BC": 0.2}) == ["B"]


def test_a_text_that_is_as_long_as_any_plate_may_be_proposed_and_none_that_is_longer():
    tail = "DEFGHJKLM"
    shares = {"AXC" + tail: 0.4, "ABY" + tail: 0.35, "ZBC" + tail: 0.25}
    assert proposals("AXC" + tail, shares) == ["ABC" + tail]
    assert len("ABC" + tail) == MAX_LENGTH
    whole = "ABCDEFGHIJKL"  # with an X before it, most have each character
    shares = {"X" + whole.replace("F", ""): 0.34, "X" + whole.replace("J", ""): 0.33, whole: 0.33}
    assert proposals(whole, shares) == []


def opinions(*texts, weight=1.0):
    return [opinion_of(read(text, confidence=0.5), weight) for text in texts]


def unlisted(given):
    listed = {text for one in given for text in one.texts}
    return [text for text, _ in pool(given).texts if text not in listed]


def test_between_two_parties_nothing_is_proposed():
    between = ["ABCD"]
    assert set(between) <= set(unlisted(opinions("AXCD", "ABYD", "ZBCE")))
    assert set(between) <= set(unlisted(opinions("AXCD", "AXCD", "ABYD", "ZBCE", "ABCE")))
    assert unlisted(opinions("AXCD", "AXCD", "ABYD", "ABYD", "ZBCE")) == []


def test_sixteen_texts_are_looked_at():
    texts = [f"PWD{number:04}" for number in range(20)]
    assert len(pool(opinions(*texts, texts[0], texts[1])).texts) == 16


@pytest.mark.parametrize(
    ("weights", "views", "number"),
    [
        ([0.5], None, 1.0),
        ([0.5, 0.25], None, 0.75**2 / 0.3125),
        ([0.5, 0.5], None, 2.0),
        ([0.5, 0.25], [3, 3], 1.0),
        ([0.25, 0.5, 0.25], [3, 3, 4], 0.75**2 / 0.3125),
    ],
)
def test_how_many_independent_reads_they_amount_to(weights, views, number):
    given = [replace(opinions("PWD0001")[0], weight=weight) for weight in weights]
    assert effective_number(given, views) == pytest.approx(number / (1 + (number - 1) * 0.7))
