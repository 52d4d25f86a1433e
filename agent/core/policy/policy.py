"""The policy's values: rules, recipients, brokers; what is asked of them, and what is answered.

Nothing here holds a plate, so the network side may import it too (P2). The questions are in `decide.py`,
the parsing in `schema/policy_file.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from agent.core.policy.barring import barred
from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PolicyRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from agent.core.policy.barring import Bar
    from agent.core.wire.match_level import MatchLevel
    from agent.core.wire.sealed_read import Tags

TEST = "test"  # the category of a rehearsal's printed plate (core.hotlist.rehearsal), and of nothing that a hot list names
NEVER_RELEASE = "never-release"  # the hot-list category that beats every rule; no policy may release it


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """One [[release]]: what leaves, for which match, to whom. `retention_days`: whole days, at least 2. `cameras`: None for every camera of the roster."""

    rule: str
    categories: frozenset[str]
    match: frozenset[MatchLevel]
    min_confidence: float
    max_per_hour: int
    recipient: str
    purpose: str
    retention_days: int
    include: frozenset[str]
    cameras: frozenset[str] | None = None

    def at(self, camera: str) -> bool:
        """Does this rule speak of that camera?"""
        return self.cameras is None or camera in self.cameras


@dataclass(frozen=True, slots=True)
class Recipient:
    """One [[recipient]]. `signing_key`: raw Ed25519 public key, 32 bytes, that signs its receipts and epoch key list. `kind`: empty where not told."""

    id: str
    legal_name: str
    basis: str
    expires: date
    signing_key: bytes
    kind: str = ""

    def expired(self, at: datetime) -> bool:
        """Is `at` (UTC) on or after the day on which its authority ends?"""
        return at.date() >= self.expires


@dataclass(frozen=True, slots=True)
class Broker:
    """One [[broker]], or one [[bundle_source]], which has no recipients. `host` serves SNI and the certificate only; `addresses`: (IP, port). `spki_pins`: SHA-256 digests, 32 bytes each."""

    id: str
    host: str
    addresses: tuple[tuple[str, int], ...]
    ca: str
    spki_pins: frozenset[bytes]
    recipients: frozenset[str]


@dataclass(frozen=True, slots=True)
class HotlistLimits:
    """[hotlist]. `max_age_hours`: a list older than that raises nothing; `additions_per_day`: entries that may be added by hand."""

    max_age_hours: int = 24
    additions_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """A city's policy as parsed. `digest`: lower-case hex SHA-256 of the file's bytes. In force from `effective` up to, not including, `expires` (UTC dates).

    `barred`: its own bars; those of the charter are added by `camera_roster.in_place`.
    """

    name: str
    version: int
    jurisdiction: str
    effective: date
    expires: date
    releases: tuple[ReleaseRule, ...]
    recipients: Mapping[str, Recipient]
    brokers: tuple[Broker, ...]
    digest: str
    barred: tuple[Bar, ...] = ()
    hotlist: HotlistLimits = HotlistLimits()
    bundle_sources: tuple[Broker, ...] = ()

    def in_force(self, at: datetime) -> bool:
        """Is `at` (UTC) within [effective, expires)?"""
        return self.effective <= at.date() < self.expires

    def served(self, recipient: str) -> bool:
        """Does any broker carry reads to this recipient?"""
        return any(recipient in broker.recipients for broker in self.brokers)

    def rule(self, name: str) -> ReleaseRule | None:
        """The rule of that name, None where there is none (any more)."""
        return next((rule for rule in self.releases if rule.rule == name), None)


class Match(NamedTuple):
    """What the hot list says of a sighting. No plate here. `entry_*` tell the officer where the lead came from.

    A tuple: a frozen dataclass takes four times as long to make, and one is made for every vehicle that is listed.

    `others`: further entries for the same sighting, in other categories or cases, best first; a rule may release one of
    them where it does not release the first. Theirs is empty. `posterior`: 0–1, that the entry's vehicle was seen (lead_odds); None where nothing
    was looked up.
    """

    category: str
    level: MatchLevel
    entry_agency: str
    entry_case: str
    entry_source_date: date
    others: tuple[Match, ...] = ()
    posterior: float | None = None


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What `decide` may know of a sighting besides its match. `confidence`: 0–1, whole plate."""

    captured: Instant
    camera: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Release:
    """Leave to do one thing: seal one sighting to one recipient under one rule."""

    rule: str
    recipient: str
    purpose: str
    retention_days: int
    include: frozenset[str]
    match: Match
    policy_name: str
    policy_version: int
    policy_digest: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`releases` may be empty; `reasons` says, rule by rule, why (at least one code)."""

    releases: tuple[Release, ...]
    reasons: tuple[Reason, ...]


def require_in_force(policy: Policy, now: Instant) -> None:
    """Refuse a policy that has lapsed or does not apply yet. Raises PolicyRefusedError.

    An untrusted clock cannot tell, so it refuses nothing here: `decide` and `may_publish` then let nothing through.
    """
    if now.trust is ClockTrust.UNTRUSTED or policy.in_force(now.utc):
        return
    what = f"{policy.name!r} version {policy.version}"
    if now.utc.date() >= policy.expires:
        raise PolicyRefusedError(Reason.POLICY_EXPIRED, f"{what} expired on {policy.expires}", fix="ask the city for its current policy")
    raise PolicyRefusedError(Reason.POLICY_NOT_IN_FORCE, f"{what} takes effect on {policy.effective}", fix="wait, or check this machine's date")


def decide(policy: Policy, circumstances: Circumstances, match: Match | None, spent: Mapping[str, int]) -> Decision:
    """May this sighting leave, by which rules, to whom? Pure. `spent`: releases by rule in the hour before the capture.

    The checks, in order. For the sighting, where the first that fails is the whole answer: clock trusted enough
    (`clock-untrusted`), policy in force at capture, camera and hour not barred, some hot-list match, not on the never-release list. Then rule
    by rule, in the policy's order, one reason each: camera, category, match level, confidence, recipient known and not expired, broker, budget.
    A rule releases a sighting at most once.
    """
    denied = _deny_whole(policy, circumstances, match)
    if denied is not None or match is None:
        return Decision((), (denied or Reason.NO_HOTLIST_MATCH,))
    releases: list[Release] = []
    reasons: list[Reason] = []
    for rule in policy.releases:
        found = _released_match(rule, match) if rule.at(circumstances.camera) else Reason.CAMERA_NOT_RELEASED
        reason = found if isinstance(found, Reason) else _deny_rule(policy, rule, circumstances, spent)
        if not isinstance(found, Reason) and reason is None:
            releases.append(_release(policy, rule, found))
        reasons.append(reason or Reason.RELEASED)
    return Decision(tuple(releases), tuple(reasons) or (Reason.CATEGORY_NOT_RELEASED,))


def may_publish(tags: Tags, policy: Policy, now: Instant) -> Reason | None:
    """None where the policy in force now permits this sealed read to be published; else why not (re-authorisation, P4).

    The read may have been sealed under an older policy: what counts is what this one says of the tags. The tags must be verified.
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
        (recipient is not None and tags.recipient == rule.recipient, Reason.RECIPIENT_NOT_IN_POLICY),
        (tags.purpose == rule.purpose, Reason.PURPOSE_NOT_IN_POLICY),
        (tags.category in rule.categories, Reason.CATEGORY_NOT_RELEASED),
        (tags.match in rule.match, Reason.MATCH_LEVEL_NOT_RELEASED),
        (tags.deadline <= tags.captured_at + timedelta(days=rule.retention_days), Reason.RETENTION_NOT_PERMITTED),
        (recipient is not None and not recipient.expired(now.utc), Reason.RECIPIENT_EXPIRED),
        (policy.served(tags.recipient), Reason.NO_BROKER_FOR_RECIPIENT),
    )
    return next((reason for holds, reason in checks if not holds), None)


def _deny_time(tags: Tags, policy: Policy, now: Instant) -> Reason | None:
    """What time alone says of a sealed read. A clock that jumped forward: nothing expires by it, and nothing goes out."""
    if tags.clock is ClockTrust.UNTRUSTED:
        return Reason.CLOCK_UNTRUSTED
    if now.reached(tags.deadline):
        return Reason.DEADLINE_PASSED
    if now.trust is ClockTrust.UNTRUSTED or now.utc >= tags.deadline:
        return Reason.CLOCK_UNTRUSTED
    return None if policy.in_force(now.utc) else Reason.POLICY_NOT_IN_FORCE


def _deny_whole(policy: Policy, circumstances: Circumstances, match: Match | None) -> Reason | None:
    """What denies every rule at once. The clock comes first: without time, neither policy nor hot list means anything."""
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
    return None


def _released_match(rule: ReleaseRule, match: Match) -> Match | Reason:
    """The first match that this rule names by category and level; else the code of the nearer miss."""
    candidates = [entry for entry in (match, *match.others) if entry.category in rule.categories]
    if not candidates:
        return Reason.CATEGORY_NOT_RELEASED
    return next((entry for entry in candidates if entry.level in rule.match), Reason.MATCH_LEVEL_NOT_RELEASED)


def _deny_rule(policy: Policy, rule: ReleaseRule, circumstances: Circumstances, spent: Mapping[str, int]) -> Reason | None:
    """What denies this rule, once category and level are right. Written so that a NaN confidence denies."""
    if not circumstances.confidence >= rule.min_confidence:
        return Reason.CONFIDENCE_TOO_LOW
    recipient = policy.recipients.get(rule.recipient)
    if recipient is None:
        return Reason.RECIPIENT_NOT_IN_POLICY
    if recipient.expired(circumstances.captured.utc):
        return Reason.RECIPIENT_EXPIRED
    if not policy.served(rule.recipient):
        return Reason.NO_BROKER_FOR_RECIPIENT
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
