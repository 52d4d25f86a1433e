"""What a match is worth: the numbers of docs/ref/hotlist.md, worked out by hand, and what must hold
of any others.
"""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.hotlist.confusion import swap_probability
from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.lead_odds import base_rate_of, densities, posterior, shape_of
from agent.core.hotlist.matching import leads, match
from agent.core.wire.match_level import MatchLevel
from tests.support.judging import HEADER, NOON, TODAY, hotlist, sighting

EXACT, TEXT, CONFUSABLE = MatchLevel.EXACT, MatchLevel.TEXT, MatchLevel.CONFUSABLE
SHAPES = {"DLLLDDD": 175_760}  # of 10 · 26³ · 10³ = 175,760,000 texts: one in a thousand
PLATE = "7XKD419"
DENSITY = 0.001
RATES = {"base_rate": 0.002, "other_states": 0.1}


def test_density_is_the_listed_share_of_a_shape():
    assert shape_of(PLATE) == b"DLLLDDD"
    assert shape_of("0Z9A") == b"DLDL"
    assert densities(SHAPES | {"D": 10, "LL": 677, "L": 13}) == {
        b"DLLLDDD": pytest.approx(0.001),
        b"D": 1.0,
        b"LL": 1.0,
        b"L": 0.5,
    }


@pytest.mark.parametrize(
    ("level", "p", "worth"),
    [
        (EXACT, 0.95, 0.0019 / (0.0019 + 0.998 * 0.05 * 0.001)),  # 0.0019 / 0.0019499 = 0.974
        # Its worth is 0.0019 / 0.0020497 = 0.927.
        (TEXT, 0.95, 0.0019 / (0.0019 + 0.998 * (0.05 + 0.1) * 0.001)),
        # Its worth is 0.0002 / 0.001198 = 0.167.
        (CONFUSABLE, 0.10, 0.0002 / (0.0002 + 0.998 * (0.90 + 0.1) * 0.001)),
    ],
)
def test_the_rule_of_bayes_by_hand(level, p, worth):
    assert posterior(level, p, DENSITY, **RATES) == pytest.approx(worth)


def test_the_rounded_figures_of_the_reference():
    told = [
        round(posterior(level, p, DENSITY, **RATES), 3)
        for level, p in ((EXACT, 0.95), (TEXT, 0.95), (CONFUSABLE, 0.10))
    ]
    assert told == [0.974, 0.927, 0.167]


@given(p=st.floats(0, 1), listed=st.floats(0, 1), level=st.sampled_from(list(MatchLevel)))
def test_it_is_a_probability_and_falls_as_the_list_grows(p, listed, level):
    worth = posterior(level, p, listed)
    assert 0.0 <= worth <= 0.9999
    assert worth >= posterior(level, p, min(listed * 2, 1.0))
    assert posterior(EXACT, p, listed) >= posterior(TEXT, p, listed)


@pytest.mark.parametrize(
    ("entries", "rate"),
    [(0, 0.0), (5, 2e-8), (250_000, 0.001), (500_000, 0.002), (4_000_000, 0.002)],
)
def test_a_short_list_finds_fewer_cars(entries, rate):
    assert base_rate_of(entries) == pytest.approx(rate)


@pytest.mark.parametrize("level", list(MatchLevel))
def test_no_arithmetic_makes_a_lead_a_fact(level):
    assert posterior(level, 1.0, 0.0) == 0.9999


def test_a_reading_of_no_probability_is_worth_nothing():
    assert posterior(CONFUSABLE, 0.0, 0.0) == 0.0


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
    assert first.posterior == pytest.approx(posterior(EXACT, 0.95, 1 / 175_760_000, base_rate=8e-9))
    assert (second.level, second.text_probability) == (
        CONFUSABLE,
        pytest.approx(0.99**6 * 0.01 / 3),
    )
    assert second.posterior < first.posterior
    seen = match(sighting(PLATE, state="US-CA", confidence=0.95), listed)
    assert [seen.posterior, *(other.posterior for other in seen.others)] == [
        first.posterior,
        second.posterior,
    ]


def test_a_list_that_does_not_know_its_own_shapes_claims_nothing():
    listed = replace(hotlist(f"{PLATE},US-CA,stolen-vehicle"), densities={}, base_rate=0.002)
    assert match(sighting(PLATE, confidence=0.95), listed).posterior == pytest.approx(
        posterior(TEXT, 0.95, 1.0)
    )


def test_what_was_added_by_hand_counts_too():
    imported, by_hand = (
        compiled(f"{plate},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10")
        for plate in (PLATE, "7XKD420")
    )
    listed = hotlist_of(imported, None, manual=by_hand, max_age=timedelta(days=9))
    assert listed.densities == {b"DLLLDDD": 2 / 175_760_000}
    assert listed.base_rate == pytest.approx(8e-9)


def compiled(row):
    return import_list(Source([f"{HEADER}\n{row}".encode()], "list", NOON), None, TODAY).compiled
