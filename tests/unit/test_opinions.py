"""What one read says of texts that it lists and of those that it does not, place by place: worked
out by hand.
"""

from dataclasses import replace
from math import exp, fsum, log

import pytest

from agent.core.reading.alignment import ADDED_OR_LOST, AT_AN_END
from agent.core.reading.opinions import DOUBT, opinion_of
from agent.core.reading.plate_text import CHARACTERS
from tests.support.judging import read

OTHERS = len(CHARACTERS) - 1


def opinion(text="ABC", confidence=0.6, own=(0.9, 0.8, 1.0), alternatives=(("AXC", 0.2),)):
    one = read(text, confidence=confidence, alternatives=list(alternatives))
    return opinion_of(replace(one, char_confidence=own), 1.0)


def test_at_each_place_the_chances_are_one_together():
    for found in (
        opinion(),
        opinion(alternatives=(("AXC", 0.2), ("AB", 0.05), ("ABCD", 0.05), ("ABY", 0.1))),
    ):
        assert [fsum(place.values()) for place in found.places] == pytest.approx([1.0] * 3)


def test_a_character_has_the_read_s_own_confidence_and_none_is_certain():
    assert [place[mine] for place, mine in zip(opinion().places, "ABC", strict=True)] == (
        pytest.approx([0.9, 0.8, 0.995])
    )


def test_what_is_left_goes_to_the_other_listed_texts_and_then_to_all_alike():
    first, second, third = opinion().places
    assert (first["X"], first["Z"]) == pytest.approx((0.1 / OTHERS, 0.1 / OTHERS))
    assert second["Z"] == pytest.approx(0.2 * (0.2 / OTHERS) / 0.4)
    assert second["X"] == pytest.approx(0.2 * (0.2 + 0.2 / OTHERS) / 0.4)
    assert (third["X"], third["Z"]) == pytest.approx((0.005 / OTHERS, 0.005 / OTHERS))


def test_a_text_that_is_shorter_says_nothing_of_the_places_that_it_has_not():
    found = opinion(alternatives=(("AC", 0.2),))
    assert found.places[1]["X"] == pytest.approx(0.2 / OTHERS)


def test_a_listed_text_has_its_own_chance():
    found = opinion()
    assert found.log_probability("ABC") == log(0.6)
    assert found.log_probability("AXC") == log(0.2)


@pytest.mark.parametrize(
    ("text", "rare"),
    [
        ("ZBC", 1.0),
        ("XABC", AT_AN_END),
        ("ABCX", AT_AN_END),
        ("ABXC", ADDED_OR_LOST),
        ("AC", ADDED_OR_LOST),
        ("BC", AT_AN_END),
        ("AB", AT_AN_END),
    ],
)
def test_a_text_that_is_not_listed_has_a_share_of_what_is_left(text, rare):
    found = opinion(own=(0.9, 0.8, 0.7))
    own = {
        "ZBC": found.places[0]["Z"] * 0.8 * 0.7,
        "AC": 0.9 * 0.7,
        "BC": 0.8 * 0.7,
        "AB": 0.9 * 0.8,
    }.get(text, 0.9 * 0.8 * 0.7)
    assert exp(found.log_probability(text)) == pytest.approx(found.left * own * rare)


@pytest.mark.parametrize(
    ("confidence", "own", "share"),
    [
        (0.5, (1.0, 1.0, 1.0), 0.5),  # surer of each character than of the whole
        (0.5, (0.9, 0.8, 1.0), 1 - 0.5 / 0.72),
        (0.72, (0.9, 0.8, 1.0), 0.2),
        (0.9, (0.9, 0.8, 1.0), 0.2),
    ],
)
def test_the_doubt_is_what_its_own_characters_do_not_explain(confidence, own, share):
    found = opinion(confidence=confidence, own=own, alternatives=())
    assert found.left == pytest.approx(1 - confidence)
    assert found.doubt == pytest.approx(found.left * share)


def test_a_read_that_is_sure_of_itself_is_doubted_all_the_same():
    assert opinion(confidence=1.0, own=(1.0, 1.0, 1.0), alternatives=()).left == DOUBT


def test_chances_below_none_count_as_none():
    """As a network's arithmetic may leave them."""
    found = opinion(alternatives=(("AXC", -0.25),))
    assert (found.texts["AXC"], found.left) == (0.0, pytest.approx(0.4))
