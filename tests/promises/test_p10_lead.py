"""P10: a match is a lead.

It says how it matched, never claims more than was read, and a stale entry raises nothing.

Broken by hand to see it fail: EXACT without comparing states; expiry not looked at while matching;
`unverified` left out of the tags.
"""

from datetime import date, timedelta

import pytest

from agent.core.hotlist.index import entry_key
from agent.core.hotlist.intake.list_import import parse_hotlist
from agent.core.hotlist.matching import match
from agent.core.policy.decider import Decider
from agent.core.reading.sighting import Track
from agent.core.reading.voting import vote
from agent.core.reasons import Reason
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.tags import format_tags
from tests.fakes.sealing import FakeSealer
from tests.support.judging import HEADER, NOON, TODAY, hotlist, instant, policy, read, sighting

CAR = "PWD5S0W"
LIST = hotlist(f"{CAR},US-CA,stolen-vehicle")


def level(text, **seen):
    found = match(sighting(text, **seen), LIST)
    return found and found.level


def test_exact_needs_text_and_state_both_read():
    assert level(CAR, state="US-CA") is MatchLevel.EXACT
    assert level(CAR, state=None) is MatchLevel.TEXT
    assert level(CAR, state="US") is MatchLevel.TEXT


def test_the_same_text_from_another_state_is_another_car():
    assert level(CAR, state="US-MT") is None


@pytest.mark.parametrize("look_alike", ["PWDSS0W", "PWD5SOW", "PWD550W", "PWDSSOW"])
@pytest.mark.parametrize("state", ["US-CA", None])
def test_a_look_alike_is_never_more_than_confusable_and_leaves_by_no_rule_that_does_not_name_it(
    look_alike, state
):
    assert level(look_alike, state=state) is MatchLevel.CONFUSABLE
    seen = sighting(look_alike, state=state)
    decision = Decider(policy()).decide(seen, match(seen, LIST))
    assert (decision.releases, decision.reasons) == ((), (Reason.MATCH_LEVEL_NOT_RELEASED,))


def test_what_the_reader_only_suspects_is_never_more_than_confusable():
    assert level("PWD7X0W", state="US-CA", alternatives=(CAR,)) is MatchLevel.CONFUSABLE


def test_a_stale_entry_raises_nothing_whether_it_expired_before_the_list_was_read_or_since():
    row = f"{CAR},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2026-11-25"
    assert match(sighting(CAR), hotlist(row, today=date(2026, 11, 25))) is None
    loaded = hotlist(row)
    assert match(sighting(CAR, captured=instant(2 * 86_400)), loaded)
    assert match(sighting(CAR, captured=instant(3 * 86_400)), loaded) is None
    assert date(2026, 11, 25) == TODAY + timedelta(days=3)


def test_a_list_that_is_older_than_the_policy_says_raises_nothing():
    row = f"{HEADER}\n{CAR},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10".encode()
    listed = parse_hotlist(row, "list", TODAY, as_of=NOON, max_age=timedelta(hours=24))
    for hours, raised in ((0, True), (23.9, True), (24, False), (24 * 30, False)):
        assert (
            match(sighting(CAR, state="US-CA", captured=instant(hours * 3600)), listed) is not None
        ) == raised


def test_a_recovered_car_raises_nothing_though_the_next_list_still_names_it():
    (entry,) = LIST.texts(CAR)
    seen = sighting(CAR, state="US-CA")
    assert match(seen, hotlist(f"{CAR},US-CA,stolen-vehicle", withdrawn={entry_key(entry)})) is None
    assert match(
        seen,
        hotlist(f"{CAR},US-CA,stolen-vehicle", withdrawn={(*entry_key(entry)[:4], "another case")}),
    )


def test_the_agencys_later_word_ends_an_entry_for_good():
    ended, old = (
        f"{CAR},US-CA,stolen-vehicle,Town PD,C-1,{dates}"
        for dates in ("2026-11-15,2026-11-20", "2026-11-10,2027-01-10")
    )
    assert match(sighting(CAR), hotlist(old))
    assert match(sighting(CAR), hotlist(old, ended)) is None


def test_its_odds_are_never_a_certainty():
    for seen in (sighting(CAR, state="US-CA", confidence=1.0), sighting(CAR), sighting("PWDSS0W")):
        assert 0.0 < match(seen, LIST).posterior <= 0.9999


def released(seen):
    (release,) = Decider(policy()).decide(seen, match(seen, LIST)).releases
    return release


def test_every_released_read_is_tagged_unverified_and_says_how_it_matched():
    for state, expected in (("US-CA", "exact"), (None, "text")):
        seen = sighting(CAR, state=state)
        tags = format_tags(FakeSealer().seal(seen, released(seen), 1).tags)
        assert tags["unverified"] is True
        assert tags["match"] == expected


def test_a_lead_names_its_origin():
    found = released(sighting(CAR)).match
    assert (found.entry_agency, found.entry_case, found.entry_source_date) == (
        "Town PD",
        "C-0",
        date(2026, 11, 10),
    )


def test_a_sighting_carries_confidence_for_each_character_and_the_crop_that_was_read():
    reads = (
        read(CAR, sharpness=1),
        read(CAR, sharpness=2),
        read("PWDSS0W", sharpness=3, confidence=0.5),
    )
    seen = vote(Track(1, reads), "cam-1")
    assert len(seen.char_confidence) == len(CAR)
    assert seen.char_confidence[3] == min(seen.char_confidence)
    assert seen.crop is reads[1].crop
    assert any(other.text.value == "PWDSS0W" for other in seen.alternatives)
