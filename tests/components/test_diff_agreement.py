"""Diff agrees with the decision itself: over drawn policies, a gain is listed exactly when some
sighting leaves under the new policy that did not under the old one.
"""

import copy
from datetime import UTC, datetime, timedelta

import pytest

from agent.core.judging.diff.comparison import Kind, Side, gains, released, space_of
from agent.core.judging.diff.diff_words import compare
from agent.core.policy.decide import decide
from agent.core.policy.policy import Circumstances, Match
from agent.core.time.instant import Instant
from agent.core.wire.match_level import MatchLevel
from tests.support.policy_texts import CAMERAS, CATEGORIES, DAY, ROSTER, Draw, files
from tests.unit.test_explaining import CHARTER


def outcome(policy, camera, category, level, at, confidence, spent, false_leads=0):
    """What each recipient gets of one sighting, on the best terms of all rules: a second model,
    flat and without cells. `false_leads`: of each rule.
    """
    limits = {rule.rule: rule.max_false_leads for rule in policy.releases}
    decision = decide(
        policy,
        Circumstances(Instant(at), camera, confidence),
        Match(category, level, "PD", "C-1", DAY),
        dict.fromkeys("abcdefghij", spent),
        [name for name, most in limits.items() if most is not None and false_leads >= most],
    )
    got = {}
    for one in decision.releases:
        key = (one.recipient, policy.recipients[one.recipient].signing_key, one.purpose)
        days, include = got.get(key, (0, frozenset()))
        got[key] = max(days, one.retention_days), include | one.include
    return got


def more(old, new):
    """Is anything in `new` that `old` does not give?"""
    return any(
        key not in old or days > old[key][0] or include - old[key][1]
        for key, (days, include) in new.items()
    )


def sightings(draw):
    """Sampled anywhere, not only where the code under test looks."""
    at = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(
        days=draw.randint(-40, 70), minutes=draw.randrange(1440)
    )
    return (
        draw.choice(CAMERAS),
        draw.choice(CATEGORIES),
        draw.choice(list(MatchLevel)),
        at,
        draw.choice([0.0, 0.3, 0.5, 0.79, 0.85, 0.9, 0.95, 1.0]),
        draw.choice([0, 0, 1, 4, 19]),
        draw.choice([0, 0, 0, 1, 2, 5]),
    )


@pytest.mark.parametrize("seed", range(8))
def test_a_gain_is_listed_exactly_when_more_leaves(seed):
    """120 pairs in all.

    A sampled gain must be listed; a listed one must have a sighting that shows it, but for budgets
    that only add up.
    """
    draw = Draw(seed)
    listed = 0
    for _ in range(15):
        first = draw.policy()
        old, new = (
            files(first, "old.toml", roster=ROSTER, charter=CHARTER),
            files(draw.changed(first), "new.toml", roster=ROSTER, charter=CHARTER),
        )
        told, before, after = compare(old, new), old.obeyed, new.obeyed
        sampled = [sightings(draw) for _ in range(60)]
        seen = [one for one in sampled if more(outcome(before, *one), outcome(after, *one))]
        assert not seen or told.lets_out, "a sighting leaves that the diff does not tell of"
        sides = [Side(policy, frozenset(CAMERAS)) for policy in (before, after)]
        space = space_of(*sides)
        for gain in gains(*(released(side, space) for side in sides)):
            _, _, category, level, camera, part, day, confidence = gain.cells[0]
            spent = gain.old.max_per_hour if gain.kind is Kind.BUDGET else 0
            at = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=part[0])
            false = gain.old.false_leads if gain.kind is Kind.FALSE_LEADS else 0
            asked = (camera, category, level, at, confidence, spent, false)
            assert more(outcome(before, *asked), outcome(after, *asked)), (
                f"{gain.kind} is listed and nothing shows it"
            )
        listed += bool(told.lets_out)
    assert 2 < listed < 15


@pytest.mark.parametrize("seed", range(12))
def test_a_policy_against_itself_is_empty(seed):
    values = Draw(seed).policy()
    told = compare(files(values), files(copy.deepcopy(values)))
    assert (told.lets_out, told.restricts, told.notes, told.nothing) == ((), (), (), True)


@pytest.mark.parametrize("seed", range(12))
def test_what_one_way_lets_out_the_other_way_takes_back(seed):
    draw = Draw(seed)
    first = draw.policy()
    old, new = files(first), files(draw.changed(first))
    there, back = compare(old, new), compare(new, old)
    keys = {Kind.KEY}
    assert [(c.kind, c.recipient, c.purpose) for c in there.lets_out if c.kind not in keys] == [
        (c.kind, c.recipient, c.purpose) for c in back.restricts
    ]
