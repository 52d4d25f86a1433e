"""What `bundle show` tells: every role with its holders, thresholds, versions and end; what is
pending; and the same ends as a calendar.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.generation import Stops, stops
from agent.bundles.layout import TOP_LEVEL, rule_of
from agent.bundles.repository.assembly import issued_of, told
from agent.bundles.repository.expiry_calendar import Expiry, calendar
from agent.bundles.repository.published import CityRepository, Standing, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.city.endings import published_reaches
from agent.city.witness_reach import witness_reach
from agent.core.policy.camera_roster import parse_roster, served_by
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.plain_words import quoted_names
from agent.core.text.rfc3339 import rfc3339
from agent.values import asdict, dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import date, datetime
    from pathlib import Path

    from agent.audit.witnesses.cosigned_reach import WitnessReach
    from agent.bundles.layout import CityIdentity
    from agent.core.policy.key_reach import Reach
    from agent.core.policy.policy import Policy

SOON_DAYS = 14
_STOPS = {  # in a few words (docs/ref/bundles.md has the table)
    Stops.EVERYTHING: "nothing is released or published",
    Stops.HOTLIST: "the hot list is stale; nothing is matched",
    Stops.RECIPIENT: "nothing is sealed to this recipient",
    Stops.SOFTWARE: "no new software is installed",
}


@dataclass(frozen=True, slots=True)
class RoleSeen:
    """One role. `version`, `expires`: None before it was published."""

    name: str
    holders: tuple[tuple[str, str], ...]
    threshold: int
    version: int | None
    expires: datetime | None
    signed_by: tuple[str, ...]
    online: bool

    def table(self, now: datetime) -> dict[str, object]:
        """As plain values."""
        return {
            "role": self.name,
            "version": self.version,
            "expires": rfc3339(self.expires) if self.expires else None,
            "expired": self.expires is not None and self.expires <= now,
            "threshold": self.threshold,
            "holders": [{"name": name, "key": keyid} for name, keyid in self.holders],
            "signed_by": list(self.signed_by),
            "online": self.online,
        }


@dataclass(frozen=True, slots=True)
class Overview:
    """`issued`: of the newest timestamp; `others`: what ends besides the roles, in words;
    `reach`: how far each recipient's keys go; `log`: how far the city's log is witnessed;
    `brokers`: which groups each is for and how many cameras that are; empty where none is for
    groups.
    """

    city: CityIdentity
    now: datetime
    issued: datetime | None
    roles: tuple[RoleSeen, ...]
    pending: Mapping[str, tuple[int, tuple[Standing, ...]]]
    others: tuple[tuple[str, date], ...]
    reach: tuple[Reach, ...]
    cameras: tuple[str, ...]
    log: WitnessReach
    brokers: tuple[tuple[str, tuple[str, ...], int], ...] = ()

    def lines(self) -> Iterator[str]:
        """For people."""
        trying = ": made for trying; real cameras refuse it" if self.city.rig else ""
        yield f"{self.city.name} ({self.city.id}){trying}"
        yield f"published {rfc3339(self.issued)}" if self.issued else "nothing published yet"
        yield ""
        for role in self.roles:
            version = f"version {role.version}" if role.version else "not published"
            ends = f", until {self._until(role.expires)}" if role.expires else ""
            how = f"{role.threshold} of {len(role.holders)} must sign"
            yield f"{role.name:<10} {version}{ends}; {how}{', online' if role.online else ''}"
            for name, keyid in role.holders:
                signed = ", signed this version" if name in role.signed_by else ""
                yield f"             {name} (key {keyid[:12]}){signed}"
        for name, day in self.others:
            yield f"{name}: until {day}"
        for one in self.reach:
            yield one.told()
        yield f"cameras enrolled: {', '.join(self.cameras) or 'none'}"
        for name, groups, number in self.brokers:
            yield f"broker {name}: for {', '.join(groups) or 'every group'}, {number} cameras"
        yield self.log.line()
        if not self.pending:
            yield "nothing pending"
        for name, (number, standings) in self.pending.items():
            yield (
                f"pending: {name}, version {number}, "
                f"{'; '.join(map(told, standings)) or 'which nobody may sign any more'}"
            )

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "city": {"id": self.city.id, "name": self.city.name, "rig": self.city.rig},
            "issued": rfc3339(self.issued) if self.issued else None,
            "roles": [role.table(self.now) for role in self.roles],
            "pending": [
                {
                    "role": name,
                    "version": version,
                    "missing": max((s.missing for s in found), default=0),
                    "signed_by": [n for s in found for n in s.signed],
                }
                for name, (version, found) in self.pending.items()
            ],
            "also_ends": [{"what": name, "on": day.isoformat()} for name, day in self.others],
            "sealable": [
                {
                    "recipient": one.recipient,
                    "rule": one.rule,
                    "until": one.until.isoformat() if one.until else None,
                    "keys_end": one.keys_end.isoformat(),
                    "retention_days": one.retention_days,
                }
                for one in self.reach
            ],
            "cameras": list(self.cameras),
            "log": asdict(self.log),
            "brokers": [
                {"broker": name, "groups": list(groups), "cameras": number}
                for name, groups, number in self.brokers
            ],
        }

    def calendar(self) -> bytes:
        """Every end as an event."""
        name, policy = self.city.name, "A new policy must be signed before."
        events = [self._event(role, role.expires) for role in self.roles if role.expires]
        events += [
            Expiry(what, day, f"{name}: {what} ends", policy, (30, 14, 3))
            for what, day in self.others
        ]
        events += [
            Expiry(
                f"sealable/{one.recipient}/{one.rule}",
                one.until,
                f"{name}: last day for reads to {one.recipient}, rule {one.rule}",
                f"{one.told()}.\nThe recipient makes new keys: platewarden receiver keys.",
                (14, 3),
            )
            for one in self.reach
            if one.until is not None
        ]
        return calendar(self.city.id, self.city.name, events, self.now)

    def _event(self, role: RoleSeen, expires: datetime) -> Expiry:
        rule = rule_of(role.name)
        reminders = (30, 14, 3) if rule is None or rule.lifetime.days > 100 else (14, 3)
        who = quoted_names(name for name, _ in role.holders)
        what = _STOPS[stops(role.name)]
        how = (
            "The daily job renews it by itself."
            if role.online
            else f"platewarden bundle sign --role {role.name}; then platewarden bundle publish."
        )
        text = (
            f"At {expires:%H:%M} UTC {what}, unless it is renewed.\n"
            f"{role.threshold} of these sign: {who}.\n{how}"
        )
        return Expiry(
            f"role/{role.name}",
            expires.date(),
            f"{self.city.name}: {role.name} expires",
            text,
            () if role.online else reminders,
        )

    def _until(self, end: datetime) -> str:
        days = (end - self.now).days
        left = "EXPIRED" if end <= self.now else f"in {days} days" if days <= SOON_DAYS else ""
        return f"{end:%Y-%m-%d %H:%M} UTC{f' ({left})' if left else ''}"


def overview(folder: Path, now: datetime) -> Overview:
    """Everything about a city's repository. Raises ConfigError, StorageError."""
    city = CityRepository(folder)
    published, pending = city.published(), city.pending()
    trust = trust_in(published, pending, folder)
    in_force = trust_in(published, {}, folder) if published else trust
    roles = []
    for name in in_force.roles():
        metadata = published.role(name) if published else None
        holders = in_force.holders(name)
        delegator = (in_force.root if name in TOP_LEVEL else in_force.targets).signed
        standings = in_force.standings(name, metadata) if metadata else ()
        roles.append(
            RoleSeen(
                name,
                tuple(sorted((holder_of(key), keyid) for keyid, key in holders.items())),
                delegator.get_delegated_role(name).threshold,
                metadata.signed.version if metadata else None,
                metadata.signed.expires if metadata else None,
                tuple(name for standing in standings for name in standing.signed),
                bool((rule := rule_of(name)) and rule.online),
            )
        )
    waiting = {
        name: (item.metadata.signed.version, trust.standings(name, item.metadata))
        for name, item in pending.items()
    }
    texts = drafts.published_texts(city, published)
    policy = parse_policy(texts.policy, drafts.POLICY_TOML) if texts.policy is not None else None
    listed = texts.enrolled()
    return Overview(
        drafts.identity_of(city, published, pending),
        now,
        issued_of(published) if published else None,
        tuple(roles),
        waiting,
        _others(policy) if policy else (),
        published_reaches(city, published, policy, now.date()) if policy else (),
        tuple(sorted(listed.devices)) if listed else (),
        witness_reach(folder),
        _brokers(policy, texts.cameras),
    )


def _brokers(
    policy: Policy | None, roster: bytes | None
) -> tuple[tuple[str, tuple[str, ...], int], ...]:
    if policy is None or roster is None or not any(one.groups for one in policy.brokers):
        return ()  # the roster of ten thousand takes a sixth of this command's time
    cameras = parse_roster(roster, drafts.CAMERAS)
    return tuple(
        (one.id, tuple(sorted(one.groups)), sum(map(one.serves, cameras.cameras)))
        for one in served_by(policy, cameras)
    )


def _others(policy: Policy) -> tuple[tuple[str, date], ...]:
    """The policy's own end, and that of each agreement in it."""
    agreements = [
        (f"agreement with {recipient.id}", recipient.expires)
        for recipient in policy.recipients.values()
    ]
    return ((f"policy.toml, version {policy.version}", policy.expires), *agreements)
