"""Compares what two policies let out, by asking `decide` under both about every kind of sighting
that could be judged differently.

Between the values that either file names (categories, cameras, days, confidences) no answer
changes, so that one sighting for each combination stands for all. What is released by the second
policy only is a gain; each is put down to the first thing, in the order of `Kind`, that the first
policy did not allow.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import product
from typing import TYPE_CHECKING

from agent.core.judging.explain.explanation import ANY_CAMERA, Part, alike, parts_of_day, sighted
from agent.core.policy.decide import decide
from agent.core.wire.match_level import MatchLevel
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.policy.policy import Policy


class Kind(StrEnum):
    """What a change is about, the worst first."""

    RECIPIENT = "recipient"
    KEY = "recipient-key"
    REFUSAL = "refusal"
    PURPOSE = "purpose"
    CATEGORY = "category"
    MATCH_LEVEL = "match-level"
    CAMERA = "camera"
    HOURS = "hours"
    DAYS = "days"
    CONFIDENCE = "confidence"
    RETENTION = "retention"
    CONTENT = "content"
    BUDGET = "budget"
    FALSE_LEADS = "false-leads"
    HOTLIST = "hotlist"


CELL_KINDS = (
    Kind.RECIPIENT,
    Kind.PURPOSE,
    Kind.CATEGORY,
    Kind.MATCH_LEVEL,
    Kind.CAMERA,
    Kind.HOURS,
    Kind.DAYS,
    Kind.CONFIDENCE,
)


NO_STOP = 1_000_000  # more false leads than a rule may name


@dataclass(frozen=True, slots=True, order=True)
class Kept:
    """On what terms a sighting is released to one recipient and purpose, all rules together.

    `false_leads`: before so many it goes on; NO_STOP where nothing stops it.
    """

    retention_days: int
    include: tuple[str, ...]
    max_per_hour: int
    false_leads: int
    rules: tuple[str, ...]


# Recipient, purpose, category, level, camera, part of the day, day, confidence: in the order of
# CELL_KINDS.
Cell = tuple[str, str, str, MatchLevel, str, Part, date, float]
Sighting = tuple[str, MatchLevel, str, Part, date, float]


@dataclass(frozen=True, slots=True)
class Gain:
    """One recipient and purpose that gets more, in one respect.

    `cells`: what is newly released, or released on wider terms: `old`, `new`.
    """

    kind: Kind
    recipient: str
    purpose: str
    cells: tuple[Cell, ...]
    old: Kept | None
    new: Kept

    def categories(self) -> set[str]:
        return {cell[2] for cell in self.cells}

    def levels(self) -> set[MatchLevel]:
        return {cell[3] for cell in self.cells}

    def cameras(self, space: Space) -> set[str]:
        """All of them, not only those that stand for others."""
        return {name for cell in self.cells for name in space.cameras[cell[4]]}


@dataclass(frozen=True, slots=True)
class Space:
    """The sightings that stand for all others under these two policies.

    `cameras`: one of each group that nothing tells apart, with its group.
    """

    categories: tuple[str, ...]
    cameras: Mapping[str, tuple[str, ...]]
    parts: tuple[Part, ...]
    days: tuple[date, ...]
    confidences: tuple[float, ...]

    def sightings(self) -> Iterator[Sighting]:
        yield from product(
            self.categories, MatchLevel, self.cameras, self.parts, self.days, self.confidences
        )

    def after(self, day: date) -> date | None:
        """The first day after `day` on which an answer may differ."""
        return next((later for later in self.days if later > day), None)


@dataclass(frozen=True, slots=True)
class Side:
    """A policy as a camera obeys it, and its roster's cameras: a camera that is not listed does not
    start. None: no roster is known.
    """

    policy: Policy
    cameras: frozenset[str] | None = None

    def named_cameras(self) -> frozenset[str]:
        """Those of the roster; without one, those that rules and bars name, and one that stands for
        all others.
        """
        if self.cameras is not None:
            return self.cameras
        lists = [rule.cameras for rule in self.policy.releases] + [
            bar.cameras for bar in self.policy.barred
        ]
        return frozenset({ANY_CAMERA}).union(*(names for names in lists if names is not None))


def space_of(first: Side, second: Side) -> Space:
    """Every value at which an answer of either policy may change."""
    both = (first.policy, second.policy)
    rules = [rule for policy in both for rule in policy.releases]
    ends = [recipient.expires for policy in both for recipient in policy.recipients.values()]
    days = {day for policy in both for day in (policy.effective, policy.expires)} | set(ends)
    one, other = first.named_cameras(), second.named_cameras()
    cameras: dict[str, tuple[str, ...]] = {}
    # A camera that only one roster lists is like no other.
    for together in (one & other, one - other, other - one):
        cameras |= alike(sorted(together), *both)
    return Space(
        categories=tuple(sorted({category for rule in rules for category in rule.categories})),
        cameras=cameras,
        parts=parts_of_day(*both),
        days=tuple(sorted(days)),
        confidences=tuple(sorted({0.0, *(rule.min_confidence for rule in rules)})),
    )


def released(side: Side, space: Space) -> Mapping[Cell, Kept]:
    """Everything that this side lets out of the space, and on what terms."""
    found: dict[Cell, Kept] = {}
    for sighting in space.sightings():
        if side.cameras is None or sighting[2] in side.cameras:
            for (recipient, purpose), kept in _ask(side.policy, sighting).items():
                found[recipient, purpose, *sighting] = kept
    return found


def gains(old: Mapping[Cell, Kept], new: Mapping[Cell, Kept]) -> tuple[Gain, ...]:
    """What `new` releases and `old` does not, then what it releases on wider terms; the worst
    first.

    Called the other way round: what is restricted.
    """
    known = {cell[:length] for cell in old for length in range(1, len(CELL_KINDS) + 1)}
    grouped: defaultdict[tuple[Kind, str, str], list[Cell]] = defaultdict(list)
    for cell in new:
        if cell not in old:
            kind = next(
                kind for length, kind in enumerate(CELL_KINDS, 1) if cell[:length] not in known
            )
            grouped[kind, cell[0], cell[1]].append(cell)
        else:
            for kind in _wider(old[cell], new[cell]):
                grouped[kind, cell[0], cell[1]].append(cell)
    order = list(Kind)
    found = [
        Gain(
            kind,
            recipient,
            purpose,
            tuple(cells),
            _widest(old, cells),
            _widest(new, cells) or new[cells[0]],
        )
        for (kind, recipient, purpose), cells in grouped.items()
    ]
    return tuple(
        sorted(found, key=lambda gain: (order.index(gain.kind), gain.recipient, gain.purpose))
    )


def _ask(policy: Policy, sighting: Sighting) -> Mapping[tuple[str, str], Kept]:
    category, level, camera, part, day, confidence = sighting
    at = datetime.combine(day, time(), UTC) + timedelta(minutes=part[0])
    decision = decide(policy, *sighted(at, camera, confidence, category, level), {})
    found: dict[tuple[str, str], Kept] = {}
    for release in decision.releases:
        rule = policy.rule(release.rule)
        budget = rule.max_per_hour if rule is not None else 0
        most = rule.max_false_leads if rule is not None else 0
        kept = Kept(
            release.retention_days,
            tuple(sorted(release.include)),
            budget,
            NO_STOP if most is None else most,
            (release.rule,),
        )
        there = (release.recipient, release.purpose)
        found[there] = _together(found[there], kept) if there in found else kept
    return found


def _together(one: Kept, other: Kept) -> Kept:
    """Two rules that release the same to the same: the recipient has the better of both."""
    return Kept(
        max(one.retention_days, other.retention_days),
        tuple(sorted({*one.include, *other.include})),
        max(one.max_per_hour, other.max_per_hour),
        max(one.false_leads, other.false_leads),
        (*one.rules, *(rule for rule in other.rules if rule not in one.rules)),
    )


def _wider(old: Kept, new: Kept) -> Iterator[Kind]:
    if new.retention_days > old.retention_days:
        yield Kind.RETENTION
    if set(new.include) - set(old.include):
        yield Kind.CONTENT
    if new.max_per_hour > old.max_per_hour:
        yield Kind.BUDGET
    if new.false_leads > old.false_leads:
        yield Kind.FALSE_LEADS


def _widest(side: Mapping[Cell, Kept], cells: list[Cell]) -> Kept | None:
    """The terms of all these cells taken together; None where none of them is released."""
    found: Kept | None = None
    for kept in dict.fromkeys(side[cell] for cell in cells if cell in side):
        found = kept if found is None else _together(found, kept)
    return found
