"""What a match is worth: the numbers of docs/ref/hotlist.md, worked out by hand, and what must hold of any others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.confusion import swap_probability
from agent.core.lead_odds import density, posterior, shape_of
from agent.core.matching import leads
from agent.core.policy import MatchLevel
from tests.support.judging import hotlist, sighting

EXACT, TEXT, CONFUSABLE = MatchLevel.EXACT, MatchLevel.TEXT, MatchLevel.CONFUSABLE
SHAPES = {"DLLLDDD": 175_760}  # of 10 · 26³ · 10³ = 175,760,000 texts: one in a thousand
PLATE = "7XKD419"
RATES = {"base_rate": 0.002, "other_states": 0.1}


def test_density_is_the_listed_share_of_a_shape():
    assert shape_of(PLATE) == "DLLLDDD"
    assert density(PLATE, SHAPES) == pytest.approx(0.001)
    assert density("ABC", SHAPES) == 0.0
    assert density("7", {"D": 10}) == 1.0


@pytest.mark.parametrize(
    ("level", "p", "worth"),
    [
        (EXACT, 0.95, 0.0019 / (0.0019 + 0.998 * 0.05 * 0.001)),  # 0.0019 / 0.0019499 = 0.974
        (TEXT, 0.95, 0.0019 / (0.0019 + 0.998 * (0.05 + 0.1) * 0.001)),  # 0.0019 / 0.0020497 = 0.927
        (CONFUSABLE, 0.10, 0.0002 / (0.0002 + 0.998 * (0.90 + 0.1) * 0.001)),  # 0.0002 / 0.001198 = 0.167
    ],
)
def test_the_rule_of_bayes_by_hand(level, p, worth):
    assert posterior(level, p, PLATE, SHAPES, **RATES) == pytest.approx(worth)


def test_the_rounded_figures_of_the_reference():
    told = [round(posterior(level, p, PLATE, SHAPES, **RATES), 3) for level, p in ((EXACT, 0.95), (TEXT, 0.95), (CONFUSABLE, 0.10))]
    assert told == [0.974, 0.927, 0.167]


@given(p=st.floats(0, 1), listed=st.integers(0, 175_760_000), level=st.sampled_from(list(MatchLevel)))
def test_it_is_a_probability_and_falls_as_the_list_grows(p, listed, level):
    worth = posterior(level, p, PLATE, {"DLLLDDD": listed})
    assert 0.0 <= worth <= 1.0
    assert worth >= posterior(level, p, PLATE, {"DLLLDDD": min(listed * 2, 175_760_000)})
    assert posterior(EXACT, p, PLATE, {"DLLLDDD": listed}) >= posterior(TEXT, p, PLATE, {"DLLLDDD": listed})


def test_a_reading_of_no_probability_is_worth_nothing():
    assert posterior(CONFUSABLE, 0.0, PLATE, {}) == 0.0


@pytest.mark.parametrize(
    ("seen", "listed", "sure", "expected"),
    [
        ("5S", "5S", (0.9, 0.8), 0.72),
        ("5S", "SS", (0.9, 0.8), 0.1 * 0.8),  # one other in its group
        ("0X", "OX", (0.7, 1.0), 0.1),  # 0 O D Q: a third of what is left
        ("0X", "0Y", (0.7, 1.0), 0.0),
        ("0X", "0", (0.7, 1.0), 0.0),
    ],
)
def test_a_swap_within_a_group(seen, listed, sure, expected):
    assert swap_probability(seen, listed, sure) == pytest.approx(expected)


def test_a_lead_carries_what_it_is_worth():
    listed = hotlist(f"{PLATE},US-CA,stolen-vehicle", "7XK0419,US-CA,stolen-vehicle")
    first, second = leads(sighting(PLATE, state="US-CA", confidence=0.95), listed)
    assert (first.level, first.text_probability) == (EXACT, 0.95)
    assert first.posterior == pytest.approx(posterior(EXACT, 0.95, PLATE, {"DLLLDDD": 1}))
    assert (second.level, second.text_probability) == (CONFUSABLE, pytest.approx(0.99**6 * 0.01 / 3))
    assert second.posterior < first.posterior
