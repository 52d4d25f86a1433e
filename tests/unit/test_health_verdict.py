"""When a version on trial is well, when it is not, and how long that may take."""

import pytest

from agent.core.software.health_verdict import LIMIT_S, STEADY_S, Seen, Unit, Verdict, judge

UP = Unit("active")
BEFORE = Seen({"watch": UP, "deliver": UP}, frozenset({"hall"}), frozenset({"disk"}))
WELL = Seen({"watch": UP, "deliver": UP}, frozenset({"hall", "more"}), frozenset({"disk"}))


def verdict(now, elapsed_s=30.0, well_for_s=STEADY_S, before=BEFORE):
    return judge(before, now, elapsed_s, well_for_s)


def test_up_connected_steady_and_without_a_new_fault_is_good():
    assert verdict(WELL).verdict is Verdict.GOOD
    assert verdict(WELL, LIMIT_S - 0.1).verdict is Verdict.GOOD


def test_not_yet_steady_waits():
    assert verdict(WELL, well_for_s=STEADY_S - 0.1).verdict is Verdict.WAITING


@pytest.mark.parametrize(
    ("now", "lacks"),
    [
        (Seen({"watch": Unit("activating"), "deliver": UP}, frozenset({"hall"})), "activating"),
        (Seen({"deliver": UP}, frozenset({"hall"})), "watch is gone"),
        (Seen({"watch": UP, "deliver": UP}), "does not reach hall"),
    ],
)
def test_what_lacks_may_come_until_the_time_is_up(now, lacks):
    early, late = verdict(now, LIMIT_S - 1), verdict(now, LIMIT_S)
    assert (early.verdict, late.verdict) == (Verdict.WAITING, Verdict.BAD)
    assert lacks in early.lacks
    assert lacks in late.lacks


@pytest.mark.parametrize("unit", [Unit("failed"), Unit("active", 1), Unit("activating", 1)])
def test_a_process_that_failed_once_is_enough(unit):
    now = Seen({"watch": unit, "deliver": UP}, frozenset({"hall"}), frozenset())
    judged = verdict(now, 2.0, 0.0)
    assert (judged.verdict, judged.lacks) == (Verdict.BAD, "watch has failed")


def test_what_was_down_before_need_not_come_up():
    before = Seen({"watch": Unit("failed"), "deliver": UP}, frozenset(), frozenset())
    now = Seen({"watch": Unit("failed"), "deliver": UP}, frozenset(), frozenset())
    assert verdict(now, before=before).verdict is Verdict.GOOD


def test_a_new_fault_is_bad_an_old_one_is_not_and_unasked_waits():
    new = Seen(WELL.units, WELL.connected, frozenset({"disk", "keys"}))
    judged = verdict(new)
    assert judged.verdict is Verdict.BAD
    assert judged.lacks == "doctor finds new faults: keys"
    unasked = Seen(WELL.units, WELL.connected)
    assert verdict(unasked).verdict is Verdict.WAITING


def test_never_steady_is_bad_in_the_end():
    assert verdict(WELL, LIMIT_S, 3.0).lacks == "not steady in time"
