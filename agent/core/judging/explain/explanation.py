"""Who could receive what: puts every question that matters to the camera's own `decide`, and
gathers what it would release.

Nothing here judges. A policy that its charter forbids is refused whole (core.policy.charter), as a
camera refuses it; everything else is `decide`'s answer, asked with a certain reading, a fresh
budget and a trusted clock, for every category, match level, camera and part of one day. Between the
times of day that the policy's bars name no answer changes, so that one moment stands for each part;
and one camera for all that no line tells apart.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING

from agent.core.policy.decide import decide
from agent.core.policy.policy import Circumstances, Match
from agent.core.reasons import Reason
from agent.core.time.instant import Instant
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date

    from agent.core.policy.charter import Charter, CharterFault
    from agent.core.policy.policy import Policy, ReleaseRule

MINUTES_A_DAY = 24 * 60
ANY_CAMERA = "any-camera"  # stands for all cameras where no roster names them


@dataclass(frozen=True, slots=True)
class Question:
    """May this leave for this recipient and purpose?

    `at`: UTC; `confidence`: 0–1, of the whole reading.
    """

    recipient: str
    purpose: str
    camera: str
    category: str
    level: MatchLevel
    at: datetime
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """`rules`: those that release it to the one who asks; `reasons`: what spoke against it, all
    rules taken together.
    """

    rules: tuple[str, ...]
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is gone through. `cameras`: ids from the roster, or none known."""

    on: date
    cameras: tuple[str, ...] = ()

    @property
    def probed_cameras(self) -> tuple[str, ...]:
        return self.cameras or (ANY_CAMERA,)


# Part of a day (UTC), in minutes from midnight: from the first up to, not including, the second.
Part = tuple[int, int]
Cell = tuple[str, MatchLevel, str, Part]  # category, level, camera, part of the day


def parts_of_day(*policies: Policy) -> tuple[Part, ...]:
    """The parts of a day in which these policies answer alike."""
    hours = [hours for policy in policies for bar in policy.barred for hours in bar.hours]
    times = sorted(
        {0, MINUTES_A_DAY, *(hour.start for hour in hours), *(hour.end for hour in hours)}
    )
    return tuple(pairwise(times))


@dataclass(slots=True)
class Tally:
    """All answers of one policy.

    `released`: by rule, the cells it releases; `denied`: by rule, the codes it gave otherwise, with
    one cell each.
    """

    scope: Scope
    asked: int = 0
    released: defaultdict[str, set[Cell]] = field(default_factory=lambda: defaultdict(set))
    denied: defaultdict[str, dict[Reason, Cell]] = field(default_factory=lambda: defaultdict(dict))


@dataclass(frozen=True, slots=True)
class Grant:
    """What one rule lets one recipient have.

    `max_false_leads`: so many stop it at a camera; None where nothing does. `times`: parts of the
    day, by camera; `since`, `until`: first day, and first day on which no
    more (UTC).
    """

    rule: str
    recipient: str
    purpose: str
    categories: tuple[str, ...]
    levels: tuple[MatchLevel, ...]
    times: tuple[tuple[str, tuple[Part, ...]], ...]
    min_confidence: float
    max_per_hour: int
    retention_days: int
    include: tuple[str, ...]
    since: date
    until: date
    brokers: tuple[str, ...]
    max_false_leads: int | None = None

    @property
    def cameras(self) -> tuple[str, ...]:
        return tuple(camera for camera, _ in self.times)


def alike(cameras: Iterable[str], *policies: Policy) -> Mapping[str, tuple[str, ...]]:
    """The cameras that no rule, no bar and no broker of these policies tells apart, each group
    under its first.
    """
    groups: dict[tuple[bool, ...], list[str]] = {}
    for camera in cameras:
        rules = (rule.at(camera) for policy in policies for rule in policy.releases)
        bars = (bar.covers(camera) for policy in policies for bar in policy.barred)
        served = (one.serves(camera) for policy in policies for one in policy.brokers)
        groups.setdefault((*rules, *bars, *served), []).append(camera)
    return {group[0]: tuple(group) for group in groups.values()}


def verdict(policy: Policy, charter: Charter | None, question: Question) -> Verdict:
    """What a camera that holds this policy (as `camera_roster.in_place` made it) and charter would
    do with one sighting, for one recipient and purpose.
    """
    faults = whole_refusal(policy, charter)
    if faults:
        return Verdict((), tuple(dict.fromkeys(fault.reason for fault in faults)))
    decision = decide(
        policy,
        *sighted(
            question.at, question.camera, question.confidence, question.category, question.level
        ),
        {},
    )
    rules = tuple(
        one.rule
        for one in decision.releases
        if (one.recipient, one.purpose) == (question.recipient, question.purpose)
    )
    return Verdict(
        rules,
        tuple(
            dict.fromkeys(reason for reason in decision.reasons if reason is not Reason.RELEASED)
        ),
    )


def whole_refusal(policy: Policy, charter: Charter | None) -> tuple[CharterFault, ...]:
    """Why a camera would not obey this policy at all; empty where the charter, if there is one,
    permits it.
    """
    return charter.check(policy) if charter is not None else ()


def tally(policy: Policy, charter: Charter | None, scope: Scope) -> Tally:
    """Ask everything there is to ask on that day."""
    found = Tally(scope)
    if whole_refusal(policy, charter):
        return found
    groups = alike(scope.probed_cameras, policy)
    for cell, at in _cells(policy, charter, scope, groups):
        category, level, camera, part = cell
        decision = decide(policy, *sighted(at, camera, 1.0, category, level), {})
        found.asked += 1
        reasons = (
            decision.reasons
            if len(decision.reasons) == len(policy.releases)
            else decision.reasons * len(policy.releases)
        )
        for rule, reason in zip(policy.releases, reasons, strict=True):
            if reason is Reason.RELEASED:
                found.released[rule.rule].update(
                    (category, level, name, part) for name in groups[camera]
                )
            else:
                found.denied[rule.rule].setdefault(reason, cell)
    return found


def categories_of(policy: Policy, charter: Charter | None) -> tuple[str, ...]:
    """Every category that policy or charter names."""
    named = {category for rule in policy.releases for category in rule.categories}
    return tuple(
        sorted(named | (charter.allowed_categories if charter is not None else frozenset()))
    )


def grants(policy: Policy, found: Tally) -> tuple[Grant, ...]:
    """What is released to whom, rule by rule in the policy's order."""
    return tuple(
        _grant(policy, rule, found.released[rule.rule])
        for rule in policy.releases
        if found.released.get(rule.rule)
    )


def _cells(
    policy: Policy, charter: Charter | None, scope: Scope, cameras: Iterable[str]
) -> Iterator[tuple[Cell, datetime]]:
    categories = categories_of(policy, charter)
    midnight = datetime.combine(scope.on, time(), UTC)
    for part in parts_of_day(policy):
        for category, level, camera in product(categories, MatchLevel, cameras):
            yield (category, level, camera, part), midnight + timedelta(minutes=part[0])


def _grant(policy: Policy, rule: ReleaseRule, cells: set[Cell]) -> Grant:
    times: defaultdict[str, set[Part]] = defaultdict(set)
    for _, _, camera, part in cells:
        times[camera].add(part)
    levels = {level for _, level, _, _ in cells}
    return Grant(
        rule=rule.rule,
        recipient=rule.recipient,
        purpose=rule.purpose,
        categories=tuple(sorted({category for category, _, _, _ in cells})),
        levels=tuple(level for level in MatchLevel if level in levels),
        times=tuple((camera, tuple(sorted(parts))) for camera, parts in sorted(times.items())),
        min_confidence=rule.min_confidence,
        max_per_hour=rule.max_per_hour,
        retention_days=rule.retention_days,
        include=tuple(
            name for name in ("plate", "crop", "captured_at", "camera") if name in rule.include
        ),
        since=policy.effective,
        until=min(policy.expires, policy.recipients[rule.recipient].expires),
        brokers=tuple(
            broker.id
            for broker in policy.brokers
            if rule.recipient in broker.recipients and any(map(broker.serves, times))
        ),
        max_false_leads=rule.max_false_leads,
    )


def hours(parts: Sequence[Part]) -> str:
    """Parts of a day in order as `00:00-06:00Z, 22:00-24:00Z`, those that touch as one; `all day`
    for all of it.
    """
    joined: list[Part] = []
    for start, end in parts:
        if joined and joined[-1][1] == start:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((start, end))
    return (
        "all day"
        if joined == [(0, MINUTES_A_DAY)]
        else ", ".join(f"{_clock(start)}-{_clock(end)}Z" for start, end in joined)
    )


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def sighted(
    at: datetime, camera: str, confidence: float, category: str, level: MatchLevel
) -> tuple[Circumstances, Match]:
    """One sighting as `decide` sees it, on a trusted clock; its entry is as fresh as one can be,
    and who wants it decides nothing.
    """
    match = Match(category, level, entry_agency="", entry_case="", entry_source_date=at.date())
    return Circumstances(captured=Instant(at), camera=camera, confidence=confidence), match
