"""A second, deliberately naive model of what leaves a camera, written from docs/ref/policy.md and
docs/ref/hotlist.md, not from the code.

It shares nothing with the product but the values that carry a policy: plain loops, no look-ups, no
indexes. Where the two differ, one of code, model and documentation is wrong.
"""

# One question after the other, as the page asks them, is the point of this file.
# ruff: noqa: C901, PLR0911

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from agent.core.policy.camera_roster import CameraRoster
from agent.core.policy.charter import Charter
from agent.core.policy.policy import Policy
from agent.core.wire.tags import Tags

GROUPS = ["0ODQ", "1IL", "2Z", "5S", "6G", "8B"]


@dataclass(frozen=True)
class Row:
    """A row of the imported list, or (`by_hand`) of the manual one.

    `withdrawn`: that plate, state, category, agency and case was taken back.
    """

    plate: str
    state: str
    category: str
    agency: str
    case: str
    source_date: date
    expires: date
    vehicle_class: str = ""
    by_hand: bool = False
    withdrawn: bool = False


@dataclass(frozen=True)
class Seen:
    """One vehicle, as the camera read it.

    `clock`: "trusted", "os" or "untrusted"; `alternatives`: in the reader's order.
    """

    camera: str
    at: datetime
    clock: str
    text: str
    state: str | None
    confidence: float
    alternatives: tuple[str, ...]
    vehicle_class: str | None
    limits: frozenset[str] = frozenset()


@dataclass(frozen=True)
class World:
    """What one city gave its cameras.

    `made`: when the agency made the list; `imported`: the day of `hotlist import` and of the start
    of `watch`.
    """

    charter: Charter
    policy: Policy
    roster: CameraRoster
    rows: tuple[Row, ...]
    made: datetime
    imported: date


@dataclass(frozen=True)
class Expected:
    """The answer: a reason, or one for each rule; and for each release the rule and the row that it
    names, with its level.
    """

    reasons: tuple[str, ...]
    releases: tuple[tuple[str, Row, str], ...] = ()


def charter_faults(charter: Charter, policy: Policy) -> set[tuple[str, str]]:
    """Every (reason, name) for which the charter refuses the policy as a whole; the names of
    recipients and rules.
    """
    faults = set()
    named = [*policy.recipients, *(rule.recipient for rule in policy.releases)]
    for broker in policy.brokers:
        named += broker.recipients
    for name in named:
        if name in charter.forbidden_recipients or not_on(charter.allowed_recipients, name):
            faults.add(("charter-forbids-recipient", name))
    for name, recipient in policy.recipients.items():
        untold = charter.forbidden_kinds and recipient.kind == ""
        listed = recipient.kind in charter.forbidden_kinds
        if untold or listed or not_on(charter.allowed_kinds, recipient.kind):
            faults.add(("charter-forbids-kind", name))
    for rule in policy.releases:
        if rule.purpose in charter.forbidden_purposes:
            faults.add(("charter-forbids-purpose", rule.purpose))
        if not_on(charter.allowed_purposes, rule.purpose):
            faults.add(("charter-forbids-purpose", rule.purpose))
        for category in rule.categories:
            if category not in charter.allowed_categories:
                faults.add(("charter-forbids-category", category))
        if rule.retention_days > charter.max_retention_days:
            faults.add(("charter-retention", rule.rule))
    return faults


def not_on(allowed: frozenset[str] | None, name: str) -> bool:
    """Without a list everything is on it."""
    return allowed is not None and name not in allowed


class Model:
    """What the cameras of one world do with one sighting after the other.

    It remembers only what each rule released, for the budgets. `stopped`: rules whose leads were
    false too often.
    """

    def __init__(self, world: World, stopped: frozenset[str] = frozenset()) -> None:
        self.world, self.stopped = world, stopped
        self.rows = rows_that_enter(world)
        self.released: list[tuple[str, str, datetime, str, bool]] = []

    def decide(self, seen: Seen) -> Expected:
        policy = self.world.policy
        day = seen.at.strftime("%Y-%m-%d")
        if seen.clock == "untrusted":
            return Expected(("clock-untrusted",))
        if day < str(policy.effective) or day >= str(policy.expires):
            return Expected(("policy-not-in-force",))
        bar = barring_reason(self.world, seen.camera, seen.at)
        if bar:
            return Expected((bar,))
        if self.list_is_stale(seen.at):
            return Expected(("hotlist-stale",))
        found = matching_rows(self.rows, seen)
        if not found:
            return Expected(("no-hotlist-match",))
        for row, _ in found:
            if row.category == "never-release":
                return Expected(("never-release-list",))
        if seen.limits:
            return Expected(("read-limited",))
        if not policy.releases:
            return Expected(("category-not-released",))
        reasons, releases = [], []
        for rule in policy.releases:
            reason, chosen = self.ask(rule, seen, found, day)
            reasons.append(reason)
            if chosen:
                releases.append((rule.rule, *chosen))
                first = not self.was_charged(rule.rule, seen)
                self.released.append((seen.camera, rule.rule, seen.at, seen.text, first))
        return Expected(tuple(reasons), tuple(releases))

    def group(self, camera):
        listed = self.world.roster.cameras
        return listed[camera].group if camera in listed else ""

    def ask(self, rule, seen, found, day):
        policy = self.world.policy
        if rule.cameras is not None and seen.camera not in rule.cameras:
            return "camera-not-released", None
        named = [(row, level) for row, level in found if row.category in rule.categories]
        if not named:
            return "category-not-released", None
        sure = [(row, level) for row, level in named if level in {str(one) for one in rule.match}]
        if not sure:
            return "match-level-not-released", None
        if not seen.confidence >= rule.min_confidence:
            return "confidence-too-low", None
        if rule.recipient not in policy.recipients:
            return "recipient-not-in-policy", None
        if day >= str(policy.recipients[rule.recipient].expires):
            return "recipient-expired", None
        group = self.group(seen.camera)
        carried = [one for one in policy.brokers if rule.recipient in one.recipients]
        if not [one for one in carried if not one.groups or group in one.groups]:
            return "no-broker-for-recipient", None
        if rule.rule in self.stopped:
            return "false-leads", None
        if self.spent(rule.rule, seen) >= rule.max_per_hour:
            return "budget-spent", None
        return "released", sure[0]

    def in_the_hour(self, rule: str, seen: Seen):
        """Releases that would share an hour with this one."""
        return [
            (text, charged)
            for camera, name, at, text, charged in self.released
            if (camera, name) == (seen.camera, rule) and abs(at - seen.at) < timedelta(hours=1)
        ]

    def was_charged(self, rule: str, seen: Seen) -> bool:
        return (seen.text, True) in self.in_the_hour(rule, seen)

    def spent(self, rule: str, seen: Seen) -> int:
        """Of the budget for vehicles, or for repeats where the plate was charged already."""
        wanted = not self.was_charged(rule, seen)
        return len([1 for _, charged in self.in_the_hour(rule, seen) if charged == wanted])

    def list_is_stale(self, at: datetime) -> bool:
        too_old = at - self.world.made >= timedelta(hours=self.world.policy.hotlist.max_age_hours)
        from_tomorrow = self.world.made - at > timedelta(days=1)
        return too_old or from_tomorrow


def barring_reason(world: World, camera: str, at: datetime) -> str:
    """`camera-barred`, `hours-barred`, or nothing."""
    near = world.roster.cameras[camera].near if camera in world.roster.cameras else frozenset()
    holding = []
    for bar in [*world.charter.barred, *world.policy.barred]:
        everywhere = bar.cameras is None and not bar.places
        here = bar.cameras is not None and camera in bar.cameras
        nearby = any(place in near for place in bar.places)
        if everywhere or here or nearby:
            holding.append(bar)
    if any(not bar.hours for bar in holding):
        return "camera-barred"
    minute = at.hour * 60 + at.minute
    for bar in holding:
        for hours in bar.hours:
            past_midnight = hours.end < hours.start
            if past_midnight and (minute >= hours.start or minute < hours.end):
                return "hours-barred"
            if not past_midnight and hours.start <= minute < hours.end:
                return "hours-barred"
    return ""


def rows_that_enter(world: World) -> list[Row]:
    """The rows that `watch` looks for, of one text in the order of what they say, those added by
    hand last.
    """
    named = {"never-release"}
    for rule in world.policy.releases:
        named |= rule.categories
    allowed = {"never-release", *world.charter.allowed_categories}
    entering = []
    for by_hand in (False, True):
        rows = [
            row
            for row in world.rows
            if row.by_hand == by_hand and row.category in named and row.category in allowed
        ]
        named_first = [row for row in world.rows if row.by_hand == by_hand]
        entering += sorted(
            (row for row in rows if row == winner(row, rows) and row.expires > world.imported),
            key=lambda row: place_among_alike(row, named_first),
        )
    withdrawn = {identity(row)[:5] for row in world.rows if row.withdrawn}
    unique = []
    for row in entering:
        if identity(row)[:5] not in withdrawn and row not in unique:
            unique.append(row)
    return unique


def place_among_alike(row: Row, listed: list[Row]):
    """By state, category, agency and vehicle class, as the list first names each; then by case."""
    columns = ("state", "category", "agency", "vehicle_class")
    return *(
        next(at for at, one in enumerate(listed) if getattr(one, name) == getattr(row, name))
        for name in columns
    ), row.case


def identity(row: Row):
    return row.plate, row.state, row.category, row.agency, row.case, row.vehicle_class


def winner(row: Row, rows: list[Row]) -> Row:
    """Of the rows that say the same of the same car but for their dates: the later source date
    wins, then the earlier expiry; to protect, the later expiry.
    """
    best = row
    for other in rows:
        if identity(other) == identity(row):
            if row.category == "never-release":
                better = (other.expires, other.source_date) > (best.expires, best.source_date)
            else:
                newer = other.source_date > best.source_date
                same = other.source_date == best.source_date
                better = newer or (same and other.expires < best.expires)
            if better:
                best = other
    return best


def matching_rows(rows: list[Row], seen: Seen) -> list[tuple[Row, str]]:
    """Every row that the sighting matches, with the level: the surest level first; the reader's
    alternatives before look-alikes; then the order in which they entered.
    """
    found = []
    for wanted in ("exact", "text"):
        found += [(row, wanted) for row in rows if level_of(row, seen) == wanted]
    confusable = [row for row in rows if level_of(row, seen) == "confusable"]
    for text in seen.alternatives:
        found += [
            (row, "confusable")
            for row in confusable
            if row.plate == text and (row, "confusable") not in found
        ]
    for by_hand in (False, True):
        # Digits come before letters, as in ASCII.
        for row in sorted(confusable, key=lambda row: row.plate):
            if row.by_hand == by_hand and (row, "confusable") not in found:
                found.append((row, "confusable"))
    return found


def level_of(row: Row, seen: Seen) -> str:
    if seen.text == "":
        return ""
    if seen.at.strftime("%Y-%m-%d") >= str(row.expires):
        return ""
    if seen.vehicle_class and row.vehicle_class and seen.vehicle_class != row.vehicle_class:
        return ""
    if seen.state is not None and seen.state != row.state:
        only_country = row.state == seen.state[:2] or seen.state == row.state[:2]
        if not only_country:
            return ""
    if row.plate == seen.text:
        return (
            "exact"
            if seen.state == row.state and row.state not in ("AE", "AU", "CA", "MX", "US")
            else "text"
        )
    if row.plate in seen.alternatives or look_alike(row.plate, seen.text):
        return "confusable"
    return ""


def look_alike(one: str, other: str) -> bool:
    if len(one) != len(other):
        return False
    for a, b in zip(one, other, strict=True):
        if a != b and not [group for group in GROUPS if a in group and b in group]:
            return False
    return True


def publish(tags: Tags, policy: Policy, now: datetime, clock: str) -> str:
    """A sealed read judged again: empty where it may go; else the reason for which it waits or is
    withdrawn (How a sealed read is judged again).
    """
    today, captured_day = now.strftime("%Y-%m-%d"), tags.captured_at
    rules = [rule for rule in policy.releases if rule.rule == tags.rule]
    rule = rules[0] if rules else None
    carried = [
        broker
        for broker in policy.brokers
        if tags.recipient in broker.recipients
        and (not broker.groups or tags.device in broker.cameras)
    ]
    if clock == "untrusted" or tags.clock == "untrusted":
        return "clock-untrusted"
    if now >= tags.deadline:
        return "deadline-passed"
    if today < str(policy.effective) or today >= str(policy.expires):
        return "policy-not-in-force"
    if rule is None:
        return "rule-not-in-policy"
    bare = World(NO_CHARTER, policy, NO_ROSTER, (), now, now.date())
    bar = barring_reason(bare, tags.device, captured_day)
    if bar:
        return bar
    for fault, reason in (
        (rule.cameras is not None and tags.device not in rule.cameras, "camera-not-released"),
        (
            rule.recipient != tags.recipient or tags.recipient not in policy.recipients,
            "recipient-not-in-policy",
        ),
        (rule.purpose != tags.purpose, "purpose-not-in-policy"),
        (tags.category not in rule.categories, "category-not-released"),
        (tags.match not in rule.match, "match-level-not-released"),
        (
            tags.deadline > tags.captured_at + timedelta(days=rule.retention_days),
            "retention-not-permitted",
        ),
    ):
        if fault:
            return reason
    if today >= str(policy.recipients[tags.recipient].expires):
        return "recipient-expired"
    return "" if carried else "no-broker-for-recipient"


NO_CHARTER = Charter("", frozenset(), frozenset(), frozenset(), 1, "", "", {})
NO_ROSTER = CameraRoster("", {}, "", "")
