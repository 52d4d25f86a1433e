"""Proposes what the drafts say without a signature, so that several people sign the same version on
several copies; and gives up what is pending.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.bundles.layout import POLICY, SOFTWARE, TARGETS
from agent.bundles.repository.next_version import next_version
from agent.bundles.repository.pending_files import withdraw
from agent.bundles.repository.published import CityRepository, Pending, trust_in
from agent.city import drafts
from agent.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from agent.bundles.repository.published import Published, Standing


def proposals(
    city: CityRepository,
    published: Published | None,
    pending: Mapping[str, Pending],
    renew: Sequence[str],
    now: datetime,
) -> Iterator[Pending]:
    """The next version of each role whose draft is not what is published, and of those in `renew`.

    Raises UsageError, ConfigError, PolicyRefusedError: what nobody could sign is not proposed.
    """
    for role in renew:
        if role not in drafts.DRAFT_OF:
            raise UsageError(
                "has no draft to be proposed",
                where=f"--role {role}",
                fix="policy, targets, software; root: bundle rotate; a key list: its owner",
            )
    texts = drafts.published_texts(city, published)
    holders = trust_in(published, pending, city.folder).holders
    for role, draft in drafts.DRAFT_OF.items():
        if role in pending or not (city.folder / draft).exists():
            continue
        if role == SOFTWARE and not holders(role):
            continue  # drafted before anybody was to sign it
        keep = drafts.files_of(city, published, TARGETS)
        if TARGETS in pending:
            keep = drafts.files_pending(city, published, pending[TARGETS])
        staged = drafts.drafts_of(city.folder, role, keep)
        if role in renew or staged != drafts.files_of(city, published, role):
            new = texts.over(staged)
            new.require_lawful()
            drafts.require_higher(texts, new)
            before = published.role(role) if published else None
            yield Pending(role, next_version(before, role, staged, now), staged)


def standing_of(city: CityRepository, role: str) -> tuple[Pending, tuple[Standing, ...]]:
    """What would be withdrawn, and who has signed it. Raises UsageError."""
    published, pending = city.published(), city.pending()
    if role not in pending:
        raise UsageError(
            "nothing of it is pending",
            where=f"--role {role}",
            fix=f"pending: {', '.join(pending) or 'nothing'}",
        )
    if published is None and role != POLICY:
        raise UsageError(
            "the city itself is not published yet, and this is a part of its founding",
            where=f"--role {role}",
            fix="correct it with `bundle rotate`, or remove pending/, root.json and roster.jws",
        )
    trust = trust_in(published, pending, city.folder)
    return pending[role], trust.standings(role, pending[role].metadata)


def give_up(city: CityRepository, shown: Pending) -> None:
    """Withdraw what was shown; only under `only_writer`. Raises UsageError, StorageError."""
    now, _ = standing_of(city, shown.role)
    if now.metadata.signed_bytes != shown.metadata.signed_bytes:
        raise UsageError(
            "while you were asked, somebody began another version",
            where=f"role {shown.role}",
            fix="nothing was withdrawn; run it again",
        )
    withdraw(city.folder, now)
