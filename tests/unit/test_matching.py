"""Matching: exact, text and confusable, and what never matches."""

import random
from datetime import date

import pytest

from agent.core.hotlist import CONFUSABLE_GROUPS
from agent.core.matching import match
from agent.core.policy import MatchLevel
from tests.support.judging import hotlist, instant, sighting

CAR = "PWD5S0W"
LIST = hotlist(f"{CAR},US-CA,stolen-vehicle")


@pytest.mark.parametrize(
    ("text", "state", "alternatives", "level"),
    [
        (CAR, "US-CA", (), MatchLevel.EXACT),
        (CAR, None, (), MatchLevel.TEXT),
        (CAR, "US", (), MatchLevel.TEXT),  # the country alone does not contradict
        (CAR, "US-NV", (), None),
        (CAR, "CA", (), None),  # Canada
        ("PWDSS0W", None, (), MatchLevel.CONFUSABLE),  # 5 / S
        ("PWD5SOW", "US-CA", (), MatchLevel.CONFUSABLE),  # 0 / O, and the state does not make it exact
        ("PWD55DW", None, (), MatchLevel.CONFUSABLE),
        ("PWDSS0W", "US-NV", (), None),
        ("PWD7S0W", None, (), None),  # 5 / 7 are not taken for one another
        ("PWD7S0W", None, (CAR,), MatchLevel.CONFUSABLE),  # … unless the reader itself doubts
        ("PWD7S0W", "US-NV", (CAR,), None),
        ("PWD7S0W", None, ("PWDSS0W",), None),  # doubts are not multiplied by look-alikes
        ("PWD5S0", None, (), None),
        ("", None, (CAR,), None),
    ],
)
def test_levels(text, state, alternatives, level):
    found = match(sighting(text, state=state, alternatives=alternatives), LIST)
    assert (found and found.level) == level


def test_a_match_tells_where_the_lead_comes_from_and_no_plate():
    found = match(sighting(CAR), LIST)
    assert (found.category, found.entry_agency, found.entry_case, found.entry_source_date) == ("stolen-vehicle", "Town PD", "C-0", date(2026, 11, 10))
    assert CAR not in repr(found)


def test_an_entry_that_expired_by_the_capture_matches_no_more():
    assert match(sighting(CAR, captured=instant(86_400 * 48)), LIST)
    assert match(sighting(CAR, captured=instant(86_400 * 49)), LIST) is None


def test_of_several_entries_the_surest_comes_first_and_the_others_follow():
    listed = hotlist("PWD55OW,US-CA,amber-alert", f"{CAR},US-NV,parking", f"{CAR},US-CA,stolen-vehicle", f"{CAR},US-CA,amber-alert")
    found = match(sighting(CAR, state="US-CA"), listed)
    assert [(one.category, one.level) for one in (found, *found.others)] == [
        ("stolen-vehicle", MatchLevel.EXACT),
        ("amber-alert", MatchLevel.EXACT),
        ("amber-alert", MatchLevel.CONFUSABLE),
    ]


@pytest.mark.parametrize("protected", [f"{CAR},US-CA,never-release", "PWD5SOW,US-CA,never-release"])
def test_the_never_release_list_beats_all_others_at_any_level(protected):
    found = match(sighting(CAR, state="US-CA"), hotlist(f"{CAR},US-CA,stolen-vehicle", protected))
    assert (found.category, found.others) == ("never-release", ())


def test_a_protected_plate_of_another_state_protects_nobody_else():
    found = match(sighting(CAR, state="US-CA"), hotlist(f"{CAR},US-CA,stolen-vehicle", f"{CAR},US-NV,never-release"))
    assert found.category == "stolen-vehicle"


@pytest.mark.parametrize("seed", range(5))
def test_text_means_the_same_text_and_confusable_means_a_look_alike(seed):
    chance = random.Random(seed)
    for _ in range(30):
        listed = "".join(chance.choices("0OQD1IL2Z5S6G8BXY7", k=chance.randint(1, 7)))
        seen = "".join(chance.choice([one, one, chance.choice(fold_group(one)), chance.choice("X08")]) for one in listed) + chance.choice(["", "", "", "1"])
        judge(listed, seen)


def fold_group(character):
    return next((group for group in CONFUSABLE_GROUPS if character in group), character)


def judge(listed, seen):
    found = match(sighting(seen), hotlist(f"{listed},US-CA,stolen-vehicle"))
    alike = len(listed) == len(seen) and all(a == b or any(a in group and b in group for group in CONFUSABLE_GROUPS) for a, b in zip(listed, seen, strict=True))
    expected = MatchLevel.TEXT if listed == seen else MatchLevel.CONFUSABLE if alike else None
    assert (found and found.level) == expected
