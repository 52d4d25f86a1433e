"""Matching: exact, text and confusable, and what never matches."""

import random
from datetime import date, timedelta

import pytest

from agent.core.hotlist.confusion import CONFUSABLE_GROUPS
from agent.core.hotlist.index import entry_key
from agent.core.hotlist.intake.list_import import parse_hotlist
from agent.core.hotlist.matching import leads, match
from agent.core.wire.match_level import MatchLevel
from tests.support.judging import HEADER, NOON, TODAY, hotlist, instant, sighting

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
        # The text has 0 for O, and the state does not make it exact.
        ("PWD5SOW", "US-CA", (), MatchLevel.CONFUSABLE),
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
    assert (found.category, found.entry_agency, found.entry_case, found.entry_source_date) == (
        "stolen-vehicle",
        "Town PD",
        "C-0",
        date(2026, 11, 10),
    )
    assert CAR not in repr(found)


def test_an_entry_that_expired_by_the_capture_matches_no_more():
    assert match(sighting(CAR, captured=instant(86_400 * 48)), LIST)
    assert match(sighting(CAR, captured=instant(86_400 * 49)), LIST) is None


def test_of_several_entries_the_surest_comes_first_and_the_others_follow():
    listed = hotlist(
        "PWD55OW,US-CA,amber-alert",
        f"{CAR},US-NV,parking",
        f"{CAR},US-CA,stolen-vehicle",
        f"{CAR},US-CA,amber-alert",
    )
    found = match(sighting(CAR, state="US-CA"), listed)
    assert [(one.category, one.level) for one in (found, *found.others)] == [
        ("amber-alert", MatchLevel.EXACT),
        ("stolen-vehicle", MatchLevel.EXACT),
        ("amber-alert", MatchLevel.CONFUSABLE),
    ]


@pytest.mark.parametrize("protected", [f"{CAR},US-CA,never-release", "PWD5SOW,US-CA,never-release"])
def test_the_never_release_list_beats_all_others_at_any_level(protected):
    found = match(sighting(CAR, state="US-CA"), hotlist(f"{CAR},US-CA,stolen-vehicle", protected))
    assert (found.category, found.others) == ("never-release", ())


def test_a_protected_plate_of_another_state_protects_nobody_else():
    found = match(
        sighting(CAR, state="US-CA"),
        hotlist(f"{CAR},US-CA,stolen-vehicle", f"{CAR},US-NV,never-release"),
    )
    assert found.category == "stolen-vehicle"


@pytest.mark.parametrize("seen", ["US-CA", "US-NV", None])
def test_a_protection_that_names_the_country_alone_protects_whatever_state_is_read(seen):
    listed = hotlist(f"{CAR},US-CA,stolen-vehicle", f"{CAR},US,never-release")
    assert match(sighting(CAR, state=seen), listed).category == "never-release"


@pytest.mark.parametrize("seed", range(5))
def test_text_means_the_same_text_and_confusable_means_a_look_alike(seed):
    chance = random.Random(seed)
    for _ in range(30):
        listed = "".join(chance.choices("0OQD1IL2Z5S6G8BXY7", k=chance.randint(1, 7)))
        seen = "".join(
            chance.choice([one, one, chance.choice(fold_group(one)), chance.choice("X08")])
            for one in listed
        ) + chance.choice(["", "", "", "1"])
        judge(listed, seen)


def fold_group(character):
    return next((group for group in CONFUSABLE_GROUPS if character in group), character)


def judge(listed, seen):
    found = match(sighting(seen), hotlist(f"{listed},US-CA,stolen-vehicle"))
    alike = len(listed) == len(seen) and all(
        a == b or any(a in group and b in group for group in CONFUSABLE_GROUPS)
        for a, b in zip(listed, seen, strict=True)
    )
    expected = MatchLevel.TEXT if listed == seen else MatchLevel.CONFUSABLE if alike else None
    assert (found and found.level) == expected


@pytest.mark.parametrize(
    ("text", "state", "level"),
    [
        ("5S0W350", "US-CO", MatchLevel.EXACT),
        ("5S0W350", None, MatchLevel.TEXT),
        ("5S0W350", "US-MT", None),  # Montana's plate of the same number is another car
        ("5S0W750", "US-CO", None),  # 3 and 7 are not taken for one another
        ("5S0W750", None, None),
        ("5SOW350", "US-CO", MatchLevel.CONFUSABLE),  # O for 0
        ("SS0W350", None, MatchLevel.CONFUSABLE),  # S for 5
        ("550W350", "US-CO", MatchLevel.CONFUSABLE),
    ],
)
def test_the_cases_that_went_wrong_elsewhere(text, state, level):
    found = match(sighting(text, state=state), hotlist("5S0W350,US-CO,stolen-vehicle"))
    assert (found and found.level) == level


@pytest.mark.parametrize(
    ("text", "level"),
    [("I1L", MatchLevel.CONFUSABLE), ("1IL", MatchLevel.CONFUSABLE), ("111", MatchLevel.TEXT)],
)
def test_one_and_i_and_l(text, level):
    assert match(sighting(text), hotlist("111,US-CO,stolen-vehicle")).level is level


@pytest.mark.parametrize(
    ("seen", "listed", "matches"),
    [
        ("car", "car", True),
        (None, "car", True),
        ("car", "", True),
        (None, "", True),
        ("car", "motorcycle", False),
    ],
)
def test_another_vehicle_class_never_matches_where_both_are_known(seen, listed, matches):
    rows = f"{HEADER},class\n{CAR},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10,{listed}"
    found = match(
        sighting(CAR, state="US-CA"),
        parse_hotlist(rows.encode(), "list", TODAY),
        vehicle_class=seen,
    )
    assert (found is not None) == matches


def test_a_withdrawn_entry_matches_no_more_and_others_of_the_plate_still_do():
    rows = (f"{CAR},US-CA,stolen-vehicle", f"{CAR},US-CA,amber-alert")
    first, second = map(entry_key, hotlist(*rows).texts(CAR))
    assert match(sighting(CAR), hotlist(*rows, withdrawn={first})).category == "amber-alert"
    assert match(sighting(CAR), hotlist(*rows, withdrawn={first, second})) is None
    assert (
        match(sighting(CAR), hotlist(*rows, withdrawn={(*first[:4], "another case")})).category
        == "stolen-vehicle"
    )


def test_a_stale_list_matches_nothing():
    rows = f"{HEADER}\n{CAR},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10".encode()
    listed = parse_hotlist(rows, "list", TODAY, as_of=NOON, max_age=timedelta(hours=12))
    assert match(sighting(CAR, captured=instant(3600 * 11.9)), listed)
    assert match(sighting(CAR, captured=instant(3600 * 12)), listed) is None


def test_what_two_ways_reach_counts_by_the_surer_one():
    (found,) = leads(sighting(CAR, alternatives=(CAR, "PWDSS0W")), LIST)
    assert found.level is MatchLevel.TEXT
    (found,) = leads(sighting("PWDSS0W", alternatives=(CAR,)), LIST)
    assert (found.level, found.text_probability) == (MatchLevel.CONFUSABLE, 0.1)


def test_sixteen_alternatives_are_looked_up_and_no_more():
    others = [f"PWD{number:03}" for number in range(15)]
    assert match(sighting("XXX", alternatives=(*others, CAR)), LIST)
    assert match(sighting("XXX", alternatives=(*others, "PWD999", CAR)), LIST) is None


@pytest.mark.parametrize(
    ("listed", "seen", "level"),
    [
        # Fifty states give out plates: the country says nothing of which.
        ("US", "US", MatchLevel.TEXT),
        ("US", "US-CA", MatchLevel.TEXT),
        ("US", None, MatchLevel.TEXT),
        ("US", "CA", None),
        ("DE", "DE", MatchLevel.EXACT),  # one authority: the country is who issued it
        ("DE", None, MatchLevel.TEXT),
        *((country, country, MatchLevel.TEXT) for country in ("AE", "AU", "CA", "MX")),
    ],
)
def test_a_country_alone_is_an_issuing_state_only_where_no_text_is_given_out_twice(
    listed, seen, level
):
    found = match(sighting(CAR, state=seen), hotlist(f"{CAR},{listed},stolen-vehicle"))
    assert (found and found.level) == level


def test_of_three_levels_each_takes_its_place_whatever_the_order_of_the_list():
    # By text, confusable, exact.
    rows = (f"{CAR},US,parking", "PWDSS0W,US-CA,parking", f"{CAR},US-CA,parking")
    for listed in (rows, rows[::-1]):
        assert [one.level for one in leads(sighting(CAR, state="US-CA"), hotlist(*listed))] == [
            MatchLevel.EXACT,
            MatchLevel.TEXT,
            MatchLevel.CONFUSABLE,
        ]


def test_no_lead_is_an_empty_answer():
    assert leads(sighting("XXX"), LIST) == ()
    assert leads(sighting(""), LIST) == ()


@pytest.mark.parametrize("alternatives", [("", "PWDSS0W"), (CAR,), ("",)])
def test_an_empty_alternative_and_the_text_itself_are_no_alternatives(alternatives):
    (found,) = leads(sighting(CAR, alternatives=alternatives), LIST)
    assert (found.level, found.text_probability) == (MatchLevel.TEXT, 0.95)
