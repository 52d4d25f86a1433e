"""The policy's values: rules, recipients, brokers; what is asked of them, and what is answered.

Nothing here holds a plate, so the network side may import it too (P2). The questions are in
`decide.py`, the parsing in `schema/policy_file.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.core.reasons import Reason
from agent.core.time.instant import ClockTrust, Instant
from agent.errors import PolicyRefusedError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from agent.core.policy.barring import Bar
    from agent.core.reasons import Limit
    from agent.core.wire.match_level import MatchLevel

# The category of a rehearsal's printed plate (core.hotlist.rehearsal), and of nothing that a hot
# list names.
TEST = "test"
# The hot-list category that beats every rule; no policy may release it.
NEVER_RELEASE = "never-release"


@dataclass(frozen=True, slots=True)
class ReleaseRule:
    """One [[release]]: what leaves, for which match, to whom.

    `retention_days`: whole days, at least 2. `cameras`: None for every camera of the roster.
    `max_false_leads`: so many stop it at a camera; None where nothing does.
    """

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
    max_false_leads: int | None = None

    def at(self, camera: str) -> bool:
        """Does this rule speak of that camera?"""
        return self.cameras is None or camera in self.cameras


@dataclass(frozen=True, slots=True)
class Recipient:
    """One [[recipient]].

    `signing_key`: raw Ed25519 public key, 32 bytes, that signs its receipts and epoch key list.
    `kind`: empty where not told.
    """

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
    """One [[broker]], or one [[bundle_source]], which has no recipients.

    `host` serves SNI and the certificate only; `addresses`: (IP, port). `spki_pins`: SHA-256
    digests, 32 bytes each. `groups`: of cameras that it serves, by the roster; empty: it serves
    every camera. `cameras`: those of these groups, once `camera_roster.in_place` has looked.
    """

    id: str
    host: str
    addresses: tuple[tuple[str, int], ...]
    ca: str
    spki_pins: frozenset[bytes]
    recipients: frozenset[str]
    groups: frozenset[str] = frozenset()
    cameras: frozenset[str] | None = None

    def serves(self, camera: str) -> bool:
        """Is it for this camera? Groups that nobody has looked up have no camera: what is not
        known to be permitted is not permitted.
        """
        return not self.groups or (self.cameras is not None and camera in self.cameras)


@dataclass(frozen=True, slots=True)
class HotlistLimits:
    """[hotlist].

    `max_age_hours`: a list older than that raises nothing; `additions_per_day`: entries that may be
    added by hand.
    """

    max_age_hours: int = 24
    additions_per_day: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """A city's policy as parsed.

    `digest`: lower-case hex SHA-256 of the file's bytes. In force from `effective` up to, not
    including, `expires` (UTC dates).

    `barred`: its own bars; those of the charter are added by `camera_roster.in_place`. `brokers`:
    of all cameras; which are for one, `brokers_of` says.
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

    @property
    def servers(self) -> Mapping[str, Broker]:
        """All that it lists to be connected to, by what each is called: `broker 'north'`."""
        return {f"broker {one.id!r}": one for one in self.brokers} | {
            f"bundle source {one.id!r}": one for one in self.bundle_sources
        }

    def brokers_of(self, camera: str) -> tuple[Broker, ...]:
        """The only brokers that this camera may reach, in the policy's order."""
        return tuple(broker for broker in self.brokers if broker.serves(camera))

    def served(self, recipient: str, camera: str) -> bool:
        """Does any broker carry this camera's reads to this recipient?"""
        return any(recipient in broker.recipients for broker in self.brokers_of(camera))

    @property
    def surest_wanted(self) -> float:
        """The highest confidence, 0–1, that any rule asks for; 0 without rules."""
        return max((rule.min_confidence for rule in self.releases), default=0.0)

    def rule(self, name: str) -> ReleaseRule | None:
        """The rule of that name, None where there is none (any more)."""
        return next((rule for rule in self.releases if rule.rule == name), None)


class Match(NamedTuple):
    """What the hot list says of a sighting.

    No plate here. `entry_*` tell the officer where the lead came from.

    A tuple: a frozen dataclass takes four times as long to make, and one is made for every vehicle
    that is listed.

    `others`: further entries for the same sighting, in other categories or cases, best first; a
    rule may release one of them where it does not release the first. Theirs is empty. `posterior`:
    0–1, that the entry's vehicle was seen (lead_odds); None where nothing was looked up.
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
    """What `decide` may know of a sighting besides its match. `confidence`: 0–1, whole plate;
    `limits`: why no part of the text is sure.
    """

    captured: Instant
    camera: str
    confidence: float
    limits: frozenset[Limit] = frozenset()


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
    """Refuse a policy that has lapsed or does not apply yet.

    Raises PolicyRefusedError.

    An untrusted clock cannot tell, so it refuses nothing here: `decide` and `may_publish` then let
    nothing through.
    """
    if now.trust is ClockTrust.UNTRUSTED or policy.in_force(now.utc):
        return
    what = f"{policy.name!r} version {policy.version}"
    if now.utc.date() >= policy.expires:
        raise PolicyRefusedError(
            Reason.POLICY_EXPIRED,
            f"{what} expired on {policy.expires}",
            fix="ask the city for its current policy, or check this machine's date",
        )
    raise PolicyRefusedError(
        Reason.POLICY_NOT_IN_FORCE,
        f"{what} takes effect on {policy.effective}",
        fix="wait, or check this machine's date",
    )
