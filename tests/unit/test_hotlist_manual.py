"""Additions and withdrawals by hand: the cap cannot be got round, a withdrawal outlives the next
list, a damaged file is refused without a plate.
"""

import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from agent.core.hotlist.entry import FIELDS
from agent.core.hotlist.index import entry_key, hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.manual_acts import ManualList, act_of, entry_from, parse_manual
from agent.errors import ConfigError, PolicyRefusedError
from tests.support.judging import HEADER, NOON, TODAY

PLATE = "PWD7Q42"


def entry(plate=PLATE, case="C-1", category="stolen-vehicle", expires=date(2026, 12, 1)):
    row = (plate, "US-CA", category, "Town PD", case, "2026-11-20", expires.isoformat(), "")
    return entry_from(dict(zip(FIELDS, row, strict=True)), TODAY)


def added(*entries, cap=10, at=NOON):
    manual = ManualList()
    for one in entries:
        manual = manual.add(act_of("add", at, "clerk 7", "reported at the desk", one), cap)
    return manual


def withdraw(manual, *entries, at=NOON):
    return manual.withdraw(
        [act_of("withdraw", at, "clerk 8", "car recovered", one) for one in entries]
    )


def test_what_was_added_is_a_list_of_its_own():
    listed = hotlist_of(added(entry(), entry("PWD1")).compiled(TODAY), None)
    assert [one.case for one in listed.texts(PLATE)] == ["C-1"]
    assert len(listed) == 2


def test_it_survives_its_file():
    manual = withdraw(added(entry(), entry("PWD1")), entry("PWD1"))
    assert parse_manual(manual.encoded(), "manual") == manual


def test_the_cap_holds_also_against_adding_and_removing_in_turn():
    manual = added(entry("PWD1"), entry("PWD2"), cap=2)
    with pytest.raises(PolicyRefusedError) as caught:
        withdraw(manual, entry("PWD1")).without_old(TODAY).add(
            act_of("add", NOON, "clerk 7", "again", entry("PWD3")), 2
        )
    assert caught.value.reason == "hotlist-additions-spent"
    tomorrow = act_of("add", NOON + timedelta(days=1), "clerk 7", "next day", entry("PWD3"))
    assert len(manual.add(tomorrow, 2).acts) == 3


def test_no_addition_at_all_where_the_policy_permits_none_but_a_protection_always():
    with pytest.raises(PolicyRefusedError):
        added(entry(), cap=0)
    assert len(added(entry(category="never-release", expires=date(2028, 1, 1)), cap=0).acts) == 1


def test_an_addition_lasts_thirty_days_at_most():
    added(entry(expires=TODAY + timedelta(days=30)))
    with pytest.raises(ConfigError, match="30 days"):
        added(entry(expires=TODAY + timedelta(days=31)))


def test_a_withdrawal_outlives_the_next_list_but_a_new_case_is_a_new_entry():
    manual = withdraw(ManualList(), entry(case="EPD-1"))
    rows = [
        f"{PLATE},US-CA,stolen-vehicle,Town PD,{case},2026-11-20,2026-12-01"
        for case in ("EPD-1", "EPD-2")
    ]
    compiled = import_list(
        Source(["\n".join([HEADER, *rows]).encode()], "list", NOON), None, TODAY
    ).compiled
    assert [
        one.case for one in hotlist_of(compiled, None, withdrawn=manual.withdrawn).texts(PLATE)
    ] == ["EPD-2"]


def test_a_withdrawn_entry_is_not_added_again_under_its_case():
    manual = withdraw(added(entry()), entry())
    assert len(hotlist_of(manual.compiled(TODAY), None)) == 0
    with pytest.raises(ConfigError, match="was withdrawn"):
        manual.add(act_of("add", NOON, "clerk 7", "again", entry()), 10)
    with pytest.raises(ConfigError, match="already"):
        added(entry(), entry())


def test_what_has_expired_is_forgotten_but_todays_additions_still_count():
    manual = added(entry(expires=date(2026, 11, 25)))
    assert manual.without_old(date(2026, 11, 24)) == manual
    assert manual.without_old(date(2026, 11, 25)).acts == ()
    today = replace(manual, acts=(replace(manual.acts[0], entry=replace(entry(), expires=TODAY)),))
    assert today.without_old(TODAY).additions_on(TODAY) == 1


@pytest.mark.parametrize(
    ("by", "why"),
    [
        ("", "why"),
        ("clerk", ""),
        ("clerk", "x" * 121),
        ("cl\nerk", "fine"),
        ("clerk", f"saw {PLATE}"),
        ("clerk", "saw pwd 7q42"),
        ("pwd-7q42", "fine"),
    ],
)
def test_who_and_why_are_short_plain_and_hold_no_plate(by, why):
    with pytest.raises(ConfigError) as caught:
        act_of("add", NOON, by, why, entry())
    assert "7Q42" not in str(caught.value).upper()


def changed(**fields):
    table = json.loads(added(entry()).encoded())
    table["acts"][0] |= fields
    return json.dumps(table).encode()


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b'{"v": 2, "acts": []}',
        b'{"v": 1, "acts": [{}]}',
        b"\xff\xfe",
        b"[" * 100_000,
        changed(plate="PWD?7Q42"),
        changed(state="california"),
        changed(expires="2026-11-01"),
        changed(at="yesterday"),
        changed(action="forget"),
        changed(note="PWD7Q42"),
        changed(source_date="9999-12-31"),
    ],
)
def test_a_damaged_file_is_refused_without_a_plate(damaged):
    with pytest.raises(ConfigError) as caught:
        parse_manual(damaged, "hotlist-manual.json")
    assert "hotlist-manual.json" in str(caught.value)
    assert "7Q42" not in str(caught.value)
    assert "7Q42" not in repr(caught.value.__cause__)


def test_no_plate_in_what_it_prints():
    manual = added(entry())
    assert "7Q42" not in repr(manual) + str(manual) + repr(entry_key) + repr(manual.acts[0])
