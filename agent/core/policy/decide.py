"""The policy's two questions: may this sighting leave, and may this sealed read still be published.

Default deny: what no [[release]] names is dropped. This module never sees a plate: `decide` is
asked about circumstances and a match, so that the network side can import it too (P2).
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from agent.core.policy.barring import barred
from agent.core.policy.policy import NEVER_RELEASE, Decision, Release
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from agent.core.policy.policy import Circumstances, Match, Policy, ReleaseRule
    from agent.core.time.instant import Instant
    from agent.core.wire.tags import Tags

HOLD = frozenset({Reason.CLOCK_UNTRUSTED, Reason.POLICY_NOT_IN_FORCE})
"""Reasons of `may_publish` that may pass by themselves: the read waits, until its deadline at the
latest.

Every other one withdraws it for good.
"""


def decide(
    policy: Policy,
    circumstances: Circumstances,
    match: Match | None,
    spent: Mapping[str, int],
    stopped: Collection[str] = (),
) -> Decision:
    """May this sighting leave, by which rules, to whom?

    Pure. `spent`: by rule, what is used of the budget that this sighting would be charged to
    (`budgets`). `stopped`: rules that false leads have stopped at this camera.

    The checks, in order. For the sighting, where the first that fails is the whole answer: clock
    trusted enough (`clock-untrusted`), policy in force at capture, camera and hour not barred, some
    hot-list match, not on the never-release list, the whole plate seen. Then rule by rule, in the
    policy's order, one reason each: camera, category, match level, confidence, recipient known and
    not expired, broker, not stopped, budget. A rule releases a sighting at most once.
    """
    denied = _deny_whole(policy, circumstances, match)
    if denied is not None or match is None:
        return Decision((), (denied or Reason.NO_HOTLIST_MATCH,))
    releases: list[Release] = []
    reasons: list[Reason] = []
    for rule in policy.releases:
        found = (
            _released_match(rule, match)
            if rule.at(circumstances.camera)
            else Reason.CAMERA_NOT_RELEASED
        )
        reason = (
            found
            if isinstance(found, Reason)
            else _deny_rule(policy, rule, circumstances, spent, stopped)
        )
        if not isinstance(found, Reason) and reason is None:
            releases.append(_release(policy, rule, found))
        reasons.append(reason or Reason.RELEASED)
    return Decision(tuple(releases), tuple(reasons) or (Reason.CATEGORY_NOT_RELEASED,))


def may_publish(tags: Tags, policy: Policy, now: Instant) -> Reason | None:
    """None where the policy in force now permits this sealed read to be published; else why not
    (re-authorisation, P4).

    The read may have been sealed under an older policy: what counts is what this one says of the
    tags. The tags must be verified.
    """
    rule, recipient = policy.rule(tags.rule), policy.recipients.get(tags.recipient)
    denied = _deny_time(tags, policy, now)
    if denied is not None:
        return denied
    if rule is None:
        return Reason.RULE_NOT_IN_POLICY
    bar = barred(policy.barred, tags.device, tags.captured_at)
    if bar is not None:
        return Reason.HOURS_BARRED if bar.hours else Reason.CAMERA_BARRED
    checks = (
        (rule.at(tags.device), Reason.CAMERA_NOT_RELEASED),
        (
            recipient is not None and tags.recipient == rule.recipient,
            Reason.RECIPIENT_NOT_IN_POLICY,
        ),
        (tags.purpose == rule.purpose, Reason.PURPOSE_NOT_IN_POLICY),
        (tags.category in rule.categories, Reason.CATEGORY_NOT_RELEASED),
        (tags.match in rule.match, Reason.MATCH_LEVEL_NOT_RELEASED),
        (
            tags.deadline <= tags.captured_at + timedelta(days=rule.retention_days),
            Reason.RETENTION_NOT_PERMITTED,
        ),
        (recipient is not None and not recipient.expired(now.utc), Reason.RECIPIENT_EXPIRED),
        (policy.served(tags.recipient, tags.device), Reason.NO_BROKER_FOR_RECIPIENT),
    )
    return next((reason for holds, reason in checks if not holds), None)


def _deny_time(tags: Tags, policy: Policy, now: Instant) -> Reason | None:
    """What time alone says of a sealed read.

    A clock that jumped forward: nothing expires by it, and nothing goes out.
    """
    if tags.clock is ClockTrust.UNTRUSTED:
        return Reason.CLOCK_UNTRUSTED
    if now.reached(tags.deadline):
        return Reason.DEADLINE_PASSED
    if now.trust is ClockTrust.UNTRUSTED or now.utc >= tags.deadline:
        return Reason.CLOCK_UNTRUSTED
    return None if policy.in_force(now.utc) else Reason.POLICY_NOT_IN_FORCE


def _deny_whole(policy: Policy, circumstances: Circumstances, match: Match | None) -> Reason | None:
    """What denies every rule at once.

    The clock comes first: without time, neither policy nor hot list means anything.
    """
    if circumstances.captured.trust is ClockTrust.UNTRUSTED:
        return Reason.CLOCK_UNTRUSTED
    if not policy.in_force(circumstances.captured.utc):
        return Reason.POLICY_NOT_IN_FORCE
    bar = barred(policy.barred, circumstances.camera, circumstances.captured.utc)
    if bar is not None:
        return Reason.HOURS_BARRED if bar.hours else Reason.CAMERA_BARRED
    if match is None:
        return Reason.NO_HOTLIST_MATCH
    if NEVER_RELEASE in {match.category, *(other.category for other in match.others)}:
        return Reason.NEVER_RELEASE
    return Reason.READ_LIMITED if circumstances.limits else None


def _released_match(rule: ReleaseRule, match: Match) -> Match | Reason:
    """The first match that this rule names by category and level; else the code of the nearer
    miss.
    """
    candidates = [entry for entry in (match, *match.others) if entry.category in rule.categories]
    if not candidates:
        return Reason.CATEGORY_NOT_RELEASED
    return next(
        (entry for entry in candidates if entry.level in rule.match),
        Reason.MATCH_LEVEL_NOT_RELEASED,
    )


def _deny_rule(
    policy: Policy,
    rule: ReleaseRule,
    circumstances: Circumstances,
    spent: Mapping[str, int],
    stopped: Collection[str],
) -> Reason | None:
    """What denies this rule, once category and level are right.

    Written so that a NaN confidence denies.
    """
    if not circumstances.confidence >= rule.min_confidence:
        return Reason.CONFIDENCE_TOO_LOW
    recipient = policy.recipients.get(rule.recipient)
    if recipient is None:
        return Reason.RECIPIENT_NOT_IN_POLICY
    if recipient.expired(circumstances.captured.utc):
        return Reason.RECIPIENT_EXPIRED
    if not policy.served(rule.recipient, circumstances.camera):
        return Reason.NO_BROKER_FOR_RECIPIENT
    if rule.rule in stopped:
        return Reason.FALSE_LEADS
    return Reason.BUDGET_SPENT if spent.get(rule.rule, 0) >= rule.max_per_hour else None


def _release(policy: Policy, rule: ReleaseRule, match: Match) -> Release:
    return Release(
        rule=rule.rule,
        recipient=rule.recipient,
        purpose=rule.purpose,
        retention_days=rule.retention_days,
        include=rule.include,
        match=match._replace(others=()),
        policy_name=policy.name,
        policy_version=policy.version,
        policy_digest=policy.digest,
    )
