"""decide and may_publish: every reason and the order of checks.

A second model of both is in test_second_model.py.
"""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from agent.core.policy.decide import HOLD, decide, may_publish
from agent.core.policy.policy import Circumstances, require_in_force
from agent.core.reasons import Limit, Reason
from agent.core.time.instant import ClockTrust
from agent.core.wire.match_level import MatchLevel
from agent.core.wire.tags import Tags
from agent.errors import PolicyRefusedError
from tests.support.judging import NOON, instant, match, policy, recipient, rule


def ask(asked_policy, found, *, confidence=0.95, captured=None, spent=None, limits=()):
    circumstances = Circumstances(captured or instant(), "cam-1", confidence, frozenset(limits))
    return decide(asked_policy, circumstances, found, spent or {})


def test_a_hit_is_released_with_everything_that_sealing_needs():
    found = match("stolen-vehicle", MatchLevel.EXACT, match("amber-alert"))
    decision = ask(policy(), found)
    assert decision.reasons == (Reason.RELEASED,)
    (release,) = decision.releases
    assert (release.rule, release.recipient, release.purpose, release.retention_days) == (
        "stolen",
        "town-pd",
        "stolen-vehicle-recovery",
        21,
    )
    assert (release.policy_name, release.policy_version, release.policy_digest) == (
        "Town policy",
        7,
        "ab" * 32,
    )
    assert release.match == match()  # the others are nobody's business here
    assert release.include == {"plate", "crop"}


LATER = instant(200 * 86_400)
UNTRUSTED = instant(0, ClockTrust.UNTRUSTED)


@pytest.mark.parametrize(
    ("change", "found", "circumstances", "reason"),
    [
        ({}, None, {}, Reason.NO_HOTLIST_MATCH),
        ({}, match("never-release"), {}, Reason.NEVER_RELEASE),
        (
            {},
            match(
                "stolen-vehicle", MatchLevel.EXACT, match("never-release", MatchLevel.CONFUSABLE)
            ),
            {},
            Reason.NEVER_RELEASE,
        ),
        ({}, match(), {"captured": UNTRUSTED}, Reason.CLOCK_UNTRUSTED),
        ({}, match(), {"captured": LATER}, Reason.POLICY_NOT_IN_FORCE),
        ({"effective": date(2026, 11, 23)}, match(), {}, Reason.POLICY_NOT_IN_FORCE),
        ({"expires": date(2026, 11, 22)}, match(), {}, Reason.POLICY_NOT_IN_FORCE),
        ({}, match("parking"), {}, Reason.CATEGORY_NOT_RELEASED),
        ({}, match(level=MatchLevel.CONFUSABLE), {}, Reason.MATCH_LEVEL_NOT_RELEASED),
        ({}, match(), {"limits": {Limit.CUT_BY_EDGE}}, Reason.READ_LIMITED),
        ({}, match("never-release"), {"limits": {Limit.CUT_BY_EDGE}}, Reason.NEVER_RELEASE),
        ({}, match(), {"confidence": 0.8999}, Reason.CONFIDENCE_TOO_LOW),
        ({}, match(), {"confidence": float("nan")}, Reason.CONFIDENCE_TOO_LOW),
        ({"recipients": {}}, match(), {}, Reason.RECIPIENT_NOT_IN_POLICY),
        (
            {"recipients": {"town-pd": recipient(expires=date(2026, 11, 22))}},
            match(),
            {},
            Reason.RECIPIENT_EXPIRED,
        ),
        ({"brokers": ()}, match(), {}, Reason.NO_BROKER_FOR_RECIPIENT),
        ({}, match(), {"spent": {"stolen": 3}}, Reason.BUDGET_SPENT),
        ({"releases": ()}, match(), {}, Reason.CATEGORY_NOT_RELEASED),
    ],
)
def test_each_drop_has_its_reason(change, found, circumstances, reason):
    decision = ask(policy(**change), found, **circumstances)
    assert decision.releases == ()
    assert decision.reasons == (reason,)


def test_the_last_day_and_the_least_confidence_still_count():
    on_the_eve = policy(
        expires=date(2026, 11, 23),
        recipients={"town-pd": recipient(expires=date(2026, 11, 23))},
        effective=date(2026, 11, 22),
    )
    assert ask(on_the_eve, match(), confidence=0.9, spent={"stolen": 2, "other": 99}).releases


def test_the_clock_is_judged_before_everything_and_the_match_before_the_rules():
    expired = policy(expires=date(2026, 11, 2))
    assert ask(expired, None, captured=UNTRUSTED).reasons == (Reason.CLOCK_UNTRUSTED,)
    assert ask(expired, None).reasons == (Reason.POLICY_NOT_IN_FORCE,)
    assert ask(
        policy(rule(match=frozenset())), match(level=MatchLevel.TEXT), confidence=0.1
    ).reasons == (Reason.MATCH_LEVEL_NOT_RELEASED,)


def test_confusable_leaves_only_by_a_rule_that_names_it():
    named = rule(rule="loose", match=frozenset({MatchLevel.CONFUSABLE}))
    decision = ask(policy(rule(), named), match(level=MatchLevel.CONFUSABLE))
    assert [release.rule for release in decision.releases] == ["loose"]
    assert decision.reasons == (Reason.MATCH_LEVEL_NOT_RELEASED, Reason.RELEASED)


def test_every_rule_is_asked_and_takes_the_entry_that_it_names():
    amber = rule(rule="amber", categories=frozenset({"amber-alert"}), recipient="sheriff")
    found = match("stolen-vehicle", MatchLevel.TEXT, match("amber-alert"))
    decision = ask(policy(rule(categories=frozenset({"stolen-vehicle"})), amber), found)
    assert [(release.recipient, release.match.category) for release in decision.releases] == [
        ("town-pd", "stolen-vehicle"),
        ("sheriff", "amber-alert"),
    ]
    assert all(release.match.others == () for release in decision.releases)


# --- may_publish ---


def tags(**changes):
    standard = Tags(
        read_id="0" * 32,
        device="cam-1",
        sequence=1,
        captured_at=NOON,
        clock=ClockTrust.OS,
        policy_name="Town policy",
        policy_version=6,
        policy_digest="cd" * 32,
        rule="stolen",
        category="stolen-vehicle",
        match=MatchLevel.EXACT,
        recipient="town-pd",
        purpose="stolen-vehicle-recovery",
        epoch=date(2026, 12, 12),
        deadline=NOON.replace(hour=0) + timedelta(days=21),
    )
    return replace(standard, **changes)


def test_what_the_policy_in_force_permits_may_be_published_whichever_version_sealed_it():
    assert may_publish(tags(), policy(), instant(60)) is None


@pytest.mark.parametrize(
    ("tag_changes", "policy_changes", "now", "reason"),
    [
        ({}, {}, instant(60, ClockTrust.UNTRUSTED), Reason.CLOCK_UNTRUSTED),
        ({"clock": ClockTrust.UNTRUSTED}, {}, instant(60), Reason.CLOCK_UNTRUSTED),
        ({}, {}, instant(20.5 * 86_400), Reason.DEADLINE_PASSED),
        ({}, {"expires": date(2026, 11, 22)}, instant(60), Reason.POLICY_NOT_IN_FORCE),
        ({"rule": "gone"}, {}, instant(60), Reason.RULE_NOT_IN_POLICY),
        ({"recipient": "sheriff"}, {}, instant(60), Reason.RECIPIENT_NOT_IN_POLICY),
        ({}, {"recipients": {}}, instant(60), Reason.RECIPIENT_NOT_IN_POLICY),
        ({"purpose": "traffic-fines"}, {}, instant(60), Reason.PURPOSE_NOT_IN_POLICY),
        ({"category": "parking"}, {}, instant(60), Reason.CATEGORY_NOT_RELEASED),
        ({"match": MatchLevel.CONFUSABLE}, {}, instant(60), Reason.MATCH_LEVEL_NOT_RELEASED),
        (
            {"deadline": NOON + timedelta(days=21, milliseconds=1)},
            {},
            instant(60),
            Reason.RETENTION_NOT_PERMITTED,
        ),
        ({}, {"releases": (rule(retention_days=7),)}, instant(60), Reason.RETENTION_NOT_PERMITTED),
        (
            {},
            {"recipients": {"town-pd": recipient(expires=date(2026, 11, 22))}},
            instant(60),
            Reason.RECIPIENT_EXPIRED,
        ),
        ({}, {"brokers": ()}, instant(60), Reason.NO_BROKER_FOR_RECIPIENT),
    ],
)
def test_each_withdrawal_has_its_reason(tag_changes, policy_changes, now, reason):
    assert may_publish(tags(**tag_changes), policy(**policy_changes), now) is reason


def test_a_recipient_of_another_rule_does_not_inherit_this_one():
    both = policy(rule(), rule(rule="amber", recipient="sheriff"))
    assert (
        may_publish(tags(recipient="sheriff"), both, instant(60)) is Reason.RECIPIENT_NOT_IN_POLICY
    )


def test_the_deadline_may_lie_exactly_at_capture_plus_retention_and_ends_publication_at_once():
    deadline = NOON + timedelta(days=21)
    assert may_publish(tags(deadline=deadline), policy(), instant(21 * 86_400 - 0.001)) is None
    assert (
        may_publish(tags(deadline=deadline), policy(), instant(21 * 86_400))
        is Reason.DEADLINE_PASSED
    )
    jumped = replace(instant(21 * 86_400), at_least=NOON)
    assert may_publish(tags(deadline=deadline), policy(), jumped) is Reason.CLOCK_UNTRUSTED


# --- require_in_force ---


def test_a_policy_in_force_passes_and_an_untrusted_clock_cannot_tell():
    require_in_force(policy(), instant())
    require_in_force(policy(expires=date(2026, 11, 2)), UNTRUSTED)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"expires": date(2026, 11, 22)}, Reason.POLICY_EXPIRED),
        ({"effective": date(2026, 11, 23)}, Reason.POLICY_NOT_IN_FORCE),
    ],
)
def test_a_lapsed_or_future_policy_is_refused(change, reason):
    with pytest.raises(PolicyRefusedError, match="Town policy") as caught:
        require_in_force(policy(**change), instant())
    assert caught.value.reason is reason
    assert caught.value.exit_code == 3


def test_a_refused_policy_says_since_when_and_what_to_do():
    with pytest.raises(PolicyRefusedError) as caught:
        require_in_force(policy(expires=date(2026, 11, 22)), instant())
    assert "'Town policy' version 7 expired on 2026-11-22" in str(caught.value)
    assert caught.value.fix == "ask the city for its current policy, or check this machine's date"
    with pytest.raises(PolicyRefusedError) as caught:
        require_in_force(policy(effective=date(2026, 11, 23)), instant())
    assert "'Town policy' version 7 takes effect on 2026-11-23" in str(caught.value)
    assert caught.value.fix == "wait, or check this machine's date"


def test_a_budget_of_one_that_nothing_was_spent_of_lets_one_out():
    assert ask(policy(rule(max_per_hour=1)), match()).releases
    assert ask(policy(rule(max_per_hour=0)), match()).reasons == (Reason.BUDGET_SPENT,)


def test_a_rule_that_false_leads_stopped_releases_nothing_and_the_others_do():
    both = policy(rule(max_per_hour=0), rule(rule="other"))
    circumstances = Circumstances(instant(), "cam-1", 1.0)
    told = decide(both, circumstances, match(), {}, frozenset({"stolen"}))
    assert told.reasons == (Reason.FALSE_LEADS, Reason.RELEASED)  # told before the spent budget
    assert [one.rule for one in told.releases] == ["other"]


def test_only_what_passes_by_itself_holds_a_read():
    """Anything else withdraws it for good."""
    assert {Reason.CLOCK_UNTRUSTED, Reason.POLICY_NOT_IN_FORCE} == HOLD


def test_what_the_strictest_rule_asks_for_and_nothing_where_there_is_none():
    rules = [rule(min_confidence=least) for least in (0.9, 0.97, 0.95)]
    assert policy(*rules).surest_wanted == 0.97
    assert replace(policy(), releases=()).surest_wanted == 0.0
