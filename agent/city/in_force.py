"""What was in force in a city on a day, and how it came to be: out of the archive of what was
published, with its signatures.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from itertools import pairwise
from typing import TYPE_CHECKING

from agent.bundles.layout import POLICY, TARGETS
from agent.bundles.repository.archive import Archive
from agent.bundles.repository.assembly import issued_of
from agent.bundles.repository.published import CityRepository, trust_in
from agent.city import drafts
from agent.city.policy_files import files_of
from agent.core.judging.explain.provenance import Standing, lapse_told
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.plain_words import quoted_names
from agent.core.text.rfc3339 import rfc3339
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from agent.bundles.repository.archive import Publication
    from agent.bundles.repository.published import Published
    from agent.core.judging.explain.explained_files import Files
    from agent.core.policy.policy import Policy

_LAST = time(23, 59, 59, 999000)


def in_force(folder: Path, day: date, now: datetime) -> Files:
    """Policy, charter and roster as cameras obeyed them at the end of that day (UTC), or now.

    Raises UsageError for a day that lies ahead, or that the archive does not know; ConfigError,
    StorageError where it is damaged.
    """
    if day > now.date():
        raise UsageError(
            "lies ahead: nothing is in force yet", where="--on", fix="name a day until today"
        )
    moment = min(datetime.combine(day, _LAST, UTC), now)
    city = CityRepository(folder)
    archive = Archive(city)
    held = archive.between(datetime.combine(day, time(), UTC), moment)
    found = held[-1]
    texts = drafts.published_texts(city, found.published)
    standing = Standing(
        found.number,
        archive.first_with(POLICY, found.version(POLICY)).issued,
        signers(folder, found.published, POLICY),
        signers(folder, found.published, TARGETS),
        tuple(_notes(city, held, day)),
        found.lapses if found.lapses <= moment else None,
    )
    return files_of(texts, standing)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that a publication changed. `recipient`: whom it is about, or none."""

    publish: int
    at: datetime
    what: str
    recipient: str
    signed_by: tuple[str, ...]

    def line(self) -> str:
        """For people."""
        return (
            f"{self.at:%Y-%m-%d %H:%M} UTC, publish {self.publish}: {self.what}; "
            f"signed by {quoted_names(self.signed_by)}"
        )

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "publish": self.publish,
            "at": rfc3339(self.at),
            "what": self.what,
            "recipient": self.recipient or None,
            "signed_by": list(self.signed_by),
        }


def history(folder: Path) -> Iterator[Event]:
    """Who may receive, since when, on which basis, and who signed that; the first one first.

    Raises ConfigError, StorageError.
    """
    city = CityRepository(folder)
    before: Policy | None = None
    seen = {POLICY: 0, TARGETS: 0}
    for publication in Archive(city).publications():
        at, published = publication.issued, publication.published
        for role in (TARGETS, POLICY):
            metadata = published.role(role)
            if metadata is None or metadata.signed.version == seen[role]:
                continue
            first, seen[role] = not seen[role], metadata.signed.version
            by = signers(folder, published, role)
            if role == TARGETS:
                what = "the charter is published" if first else "the charter's role is renewed"
                yield Event(publication.number, at, f"{what} (version {seen[role]})", "", by)
                continue
            text = drafts.published_texts(city, published).policy
            assert text is not None  # noqa: S101 (for mypy: the role carries it)
            after = parse_policy(text, drafts.POLICY_TOML)
            for recipient, what in _changes(before, after):
                yield Event(publication.number, at, what, recipient, by)
            before = after


def standing(city: CityRepository, published: Published | None) -> Standing | None:
    """Since when the policy that is published is in force, and who signed it; None without one."""
    if published is None or published.role(POLICY) is None:
        return None
    return Standing(
        published.timestamp.signed.version,
        issued_of(published),
        signers(city.folder, published, POLICY),
        signers(city.folder, published, TARGETS),
    )


def signers(folder: Path, published: Published, role: str) -> tuple[str, ...]:
    """Who signed a role, of those whose signatures counted then."""
    metadata = published.role(role)
    standings = (
        trust_in(published, {}, folder).standings(role, metadata) if metadata is not None else ()
    )
    return tuple(name for standing in standings for name in standing.signed)


def _changes(before: Policy | None, after: Policy) -> Iterator[tuple[str, str]]:
    """What a policy changes: for whom, in words."""
    if before is None or before.version != after.version:
        yield "", f"policy version {after.version} ({after.name}), until {after.expires}"
    old = before.recipients if before else {}
    for name, recipient in after.recipients.items():
        now = f"{recipient.legal_name}, by {recipient.basis}, until {recipient.expires}"
        if name not in old:
            yield name, f"recipient {name} is listed: {now}"
        elif old[name] != recipient:
            yield name, f"recipient {name} is changed: {now}"
    for name in old.keys() - after.recipients.keys():
        yield name, f"recipient {name} is listed no more"
    rules = {rule.rule: rule for rule in before.releases} if before else {}
    for rule in after.releases:
        verb = "is added" if rule.rule not in rules else "is changed"
        if rules.get(rule.rule) != rule:
            yield (
                rule.recipient,
                (
                    f"rule {rule.rule} {verb}: {', '.join(sorted(rule.categories))} to "
                    f"{rule.recipient} for {rule.purpose}, kept for {rule.retention_days} days"
                ),
            )
    for name in rules.keys() - {rule.rule for rule in after.releases}:
        yield rules[name].recipient, f"rule {name} is gone"


def _notes(city: CityRepository, held: Sequence[Publication], day: date) -> Iterator[str]:
    """What was otherwise at other times of that day."""
    first = held[0]
    if first.issued > datetime.combine(day, time(), UTC) and first.number > 1:
        yield f"What was in force until {first.issued:%H:%M} UTC on that day is not known here."
    for one, after in pairwise(held):
        old, new = (drafts.published_texts(city, each.published) for each in (one, after))
        if (old.policy, old.charter, old.cameras) != (new.policy, new.charter, new.cameras):
            before = "as on the day before" if one is held[0] else "`bundle history` tells which"
            yield f"Until {after.issued:%H:%M} UTC on that day other rules were in force: {before}."
        if one.lapses < after.issued:
            yield (
                f"Until {after.issued:%H:%M} UTC on that day cameras released nothing to anybody: "
                f"{lapse_told(one.lapses)}."
            )
