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
        budgets.record("a", NOON + timedelta(minutes=minutes), minutes)
    assert budgets.spent(NOON + timedelta(minutes=40), 99) == {"a": 3}
    assert budgets.spent(NOON + HOUR - SECOND, 99) == {"a": 3}
    assert budgets.spent(NOON + HOUR, 99) == {"a": 2}
    assert budgets.spent(NOON + 2 * HOUR, 99).get("a") == 0


def test_a_clock_that_is_set_back_does_not_refill_the_budget_nor_lock_it_for_ever():
    budgets = Budgets()
    budgets.record("a", NOON, 1)
    assert budgets.spent(NOON - timedelta(minutes=30), 99) == {"a": 1}
    assert budgets.spent(NOON - timedelta(days=300), 99) == {"a": 0}


def test_memory_does_not_grow_with_time():
    budgets = Budgets()
    for number in range(500):
        budgets.record("a", NOON + number * timedelta(minutes=20), number % 2)
    assert len(budgets._spent["a"].charged) + len(budgets._spent["a"].repeats) <= 5


def decide(decider, seconds, found=None, text=None, **how):
    """By default every second has a vehicle of its own."""
    seen = sighting(text or f"PWD{seconds}", captured=instant(seconds), **how)
    return decider.decide(seen, found or match())


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


def test_a_parked_car_that_is_told_again_and_again_does_not_spend_the_hour_of_others():
    decider = Decider(policy(rule(max_per_hour=3)))
    again = [decide(decider, 60 * n, text="PWD1").releases for n in range(4)]
    assert [len(releases) for releases in again] == [1] * 4
    assert decide(decider, 300, text="PWD1").reasons == (
        Reason.BUDGET_SPENT,
    )  # repeats have theirs
    others = [decide(decider, 400 + n).reasons for n in range(3)]
    assert others == [(Reason.RELEASED,), (Reason.RELEASED,), (Reason.BUDGET_SPENT,)]


def test_a_repeat_is_one_for_an_hour_from_the_read_that_was_charged():
    decider = Decider(policy(rule(max_per_hour=1)))
    assert decide(decider, 0, text="PWD1").releases
    assert decide(decider, 3599, text="PWD1").releases
    assert not decide(decider, 3599).releases
    assert decide(decider, 3600, text="PWD1").releases  # charged anew
    assert not decide(decider, 3601).releases


def test_another_text_is_no_repeat_and_each_rule_counts_for_itself():
    decider = Decider(policy(rule(max_per_hour=1), rule(rule="other", max_per_hour=1)))
    assert len(decide(decider, 0, text="PWD1").releases) == 2
    assert decide(decider, 1, text="PWDI").reasons == (Reason.BUDGET_SPENT,) * 2


def test_no_rule_lets_out_more_than_twice_its_budget():
    decider = Decider(policy(rule(max_per_hour=5)))
    texts = [f"PWD{number % 7}" for number in range(700)]
    assert sum(len(decide(decider, n, text=text).releases) for n, text in enumerate(texts)) == 10


def test_what_the_budgets_remember_is_no_plate():
    decider = Decider(policy())
    decide(decider, 0, text="PWD0001")
    (charged,) = decider._budgets._spent["stolen"].charged
    assert charged == (instant(0).utc, hash("PWD0001"))
