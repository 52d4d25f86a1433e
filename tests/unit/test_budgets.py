"""Budgets: an hour that slides by captured time, in memory, per rule; and the Decider that keeps
them.
"""

from datetime import timedelta

from agent.core.policy.budgets import Budgets
from agent.core.policy.decider import Decider
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust
from tests.support.judging import NOON, instant, match, policy, rule, sighting

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


def test_the_hour_slides():
    budgets = Budgets()
    for minutes in (0, 20, 40):
        budgets.record("a", NOON + timedelta(minutes=minutes))
    assert budgets.spent(NOON + timedelta(minutes=40)) == {"a": 3}
    assert budgets.spent(NOON + HOUR - SECOND) == {"a": 3}
    assert budgets.spent(NOON + HOUR) == {"a": 2}
    assert budgets.spent(NOON + 2 * HOUR).get("a") == 0


def test_a_clock_that_is_set_back_does_not_refill_the_budget_nor_lock_it_for_ever():
    budgets = Budgets()
    budgets.record("a", NOON)
    assert budgets.spent(NOON - timedelta(minutes=30)) == {"a": 1}
    assert budgets.spent(NOON - timedelta(days=300)) == {"a": 0}


def test_memory_does_not_grow_with_time():
    budgets = Budgets()
    for number in range(500):
        budgets.record("a", NOON + number * timedelta(minutes=20))
    assert len(budgets._released["a"]) <= 3


def decide(decider, seconds, found=None, **how):
    return decider.decide(sighting("PWD1", captured=instant(seconds), **how), found or match())


def test_the_decider_charges_what_it_releases_and_nothing_else():
    decider = Decider(
        policy(rule(max_per_hour=2), rule(rule="other", recipient="sheriff", max_per_hour=9))
    )
    assert decide(decider, 0, confidence=0.1).reasons == (Reason.CONFIDENCE_TOO_LOW,) * 2
    assert decider.decide(sighting("PWD1"), None).reasons == (Reason.NO_HOTLIST_MATCH,)
    assert [len(decide(decider, second).releases) for second in range(4)] == [2, 2, 1, 1]
    assert decide(decider, 4).reasons == (Reason.BUDGET_SPENT, Reason.RELEASED)
    assert len(decide(decider, 3_601).releases) == 2


def test_the_decider_drops_everything_while_the_clock_is_untrusted():
    decision = Decider(policy()).decide(
        sighting("PWD1", captured=instant(0, ClockTrust.UNTRUSTED)), match()
    )
    assert decision.reasons == (Reason.CLOCK_UNTRUSTED,)
