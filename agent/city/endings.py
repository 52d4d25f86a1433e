"""What ends when in a city, what stops then, and who must sign before: roles, the policy, its
agreements, and how far each recipient's keys reach.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from agent.bundles.generation import Stops, stops
from agent.bundles.layout import TOP_LEVEL, keys_path, keys_role, recipient_of, rule_of
from agent.bundles.repository.published import ONLINE, trust_in
from agent.bundles.repository.signing_keys import holder_of
from agent.city import drafts
from agent.core.policy.key_reach import Reach, reaches
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.plain_words import quoted_names
from agent.core.text.rfc3339 import rfc3339
from agent.errors import EnvelopeRefusedError
from agent.values import dataclass
from agent.verifying.key_list_check import verify_key_list

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from agent.bundles.repository.published import CityRepository, Published
    from agent.core.policy.policy import Policy

SOON = timedelta(days=30)
STOPS = {
    Stops.EVERYTHING: "nothing is released or published",
    Stops.HOTLIST: "the hot list is stale, and nothing is matched",
    Stops.RECIPIENT: "nothing is sealed to {}",
    Stops.SOFTWARE: "no new software is installed",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """`end`: from when on it serves no more; None: it does not serve today either.

    `stops`: what then stops. `remedy`: who must do what before.
    """

    what: str
    end: datetime | None
    stops: str
    remedy: str

    def ended(self, now: datetime) -> bool:
        """It can no longer serve."""
        return self.end is None or self.end <= now

    def soon(self, now: datetime) -> bool:
        """Ended, or within 30 days."""
        return self.end is None or self.end <= now + SOON

    def line(self, now: datetime) -> str:
        """For people."""
        when = (
            "CANNOT SERVE"
            if self.end is None
            else f"{'ENDED' if self.ended(now) else 'ends'} {self.end:%Y-%m-%d}"
        )
        return f"{self.what}: {when}; then {self.stops}. {self.remedy}"

    def table(self, now: datetime) -> dict[str, object]:
        """As plain values."""
        return {
            "what": self.what,
            "end": rfc3339(self.end) if self.end else None,
            "ended": self.ended(now),
            "stops": self.stops,
            "remedy": self.remedy,
        }


def published_reaches(
    city: CityRepository, published: Published | None, policy: Policy, today: date
) -> tuple[Reach, ...]:
    """Of every recipient whose keys are published. Raises ConfigError."""
    found: list[Reach] = []
    for name, recipient in policy.recipients.items():
        files = drafts.files_of(city, published, keys_role(name))
        if keys_path(name) in files and recipient.signing_key:
            try:
                keys = verify_key_list(files[keys_path(name)], name, recipient.signing_key)
            except EnvelopeRefusedError:
                continue  # of another signing key than the policy's: the role's own line tells
            found += reaches(keys, policy, today)
    return tuple(found)


def endings(city: CityRepository, published: Published, now: datetime) -> tuple[Ending, ...]:
    """Everything that ends, the soonest first, but for what the daily job renews.

    Raises ConfigError.
    """
    found = [*_roles(city, published, now)]
    text = drafts.published_texts(city, published).policy
    if text is not None:
        policy = parse_policy(text, drafts.POLICY_TOML)
        found += _policies(policy)
        found += [
            _of_keys(reach) for reach in published_reaches(city, published, policy, now.date())
        ]
    return tuple(sorted(found, key=lambda one: (one.end is not None, one.end or now)))


def _roles(city: CityRepository, published: Published, now: datetime) -> Iterator[Ending]:
    trust = trust_in(published, {}, city.folder)
    for name in trust.roles():
        metadata, rule = published.role(name), rule_of(name)
        if metadata is None or rule is None or name in ONLINE:
            continue
        if rule.online and metadata.signed.expires > now:
            continue  # a hot list lives for two days: that it ends soon is no news
        delegator = (trust.root if name in TOP_LEVEL else trust.targets).signed
        holders = sorted(map(holder_of, trust.holders(name).values()))
        how = (
            "Its owner's job publishes it: platewarden hotlist publish."
            if rule.online
            else f"{delegator.get_delegated_role(name).threshold} of {len(holders)} must sign "
            f"({quoted_names(holders)}): platewarden bundle sign --role {name}."
        )
        what = STOPS[stops(name)].format(recipient_of(name))
        yield Ending(f"role {name}", metadata.signed.expires, what, how)


def _policies(policy: Policy) -> Iterator[Ending]:
    again = "A new policy must be signed: platewarden bundle sign --role policy."
    yield Ending(
        f"policy.toml, version {policy.version}",
        _midnight(policy.expires),
        STOPS[Stops.EVERYTHING],
        again,
    )
    for recipient in policy.recipients.values():
        yield Ending(
            f"agreement with {recipient.id}",
            _midnight(recipient.expires),
            f"nothing is released to {recipient.id}",
            again,
        )


def _of_keys(reach: Reach) -> Ending:
    return Ending(
        f"keys of {reach.recipient} for rule {reach.rule}",
        _midnight(reach.until + timedelta(days=1)) if reach.until else None,
        f"nothing is sealed to {reach.recipient} by this rule "
        f"(keys end on {reach.keys_end}, reads are kept for {reach.retention_days} days)",
        f"{reach.recipient} makes new ones: platewarden receiver keys. Then "
        f"platewarden bundle sign --role {keys_role(reach.recipient)} --key-list FILE.",
    )


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
