"""What the archive of published roots, charters, policies and key lists says of a period."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from agent.bundles.layout import MAX_METADATA_BYTES, POLICY, TARGETS, keys_path, keys_role
from agent.bundles.repository.archive import Archive
from agent.bundles.repository.published import CityRepository
from agent.city import drafts
from agent.city.in_force import signers
from agent.city.policy_files import files_of
from agent.core.judging.explain.provenance import Standing
from agent.core.log.checkpoint import origin_of
from agent.core.text.rfc3339 import rfc3339
from agent.core.wire.epochs import deadline_of
from agent.disk.atomic_file import read_bounded
from agent.errors import EnvelopeRefusedError, UsageError
from agent.values import dataclass
from agent.verifying.key_list_check import verify_key_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from agent.bundles.repository.archive import Publication
    from agent.city.report.report_tables import Period
    from agent.core.judging.explain.explained_files import Files
    from agent.core.policy.charter import Charter
    from agent.core.policy.policy import Policy
    from agent.core.wire.epochs import EpochKeys


@dataclass(frozen=True, slots=True)
class Stretch:
    """One policy under one charter. `since`, `until`: published, and replaced (RFC 3339; "" for
    the newest that the report looks at); `files`: as `policy explain` reads them.
    """

    publish: int
    since: str
    until: str
    files: Files


@dataclass(frozen=True, slots=True)
class Facts:
    """`stretches`: those that touch the period, the first one first; `lapses`: from when until when
    nothing that was published was in force; `newest`: the last publication until the period's end;
    `keys`: raw log keys by origin, of every camera that was ever enrolled, the newest one;
    `digests`: of every policy that was ever published until then.
    """

    folder: Path
    id: str
    name: str
    newest: Publication
    first_root: str
    cameras: tuple[str, ...]
    stretches: tuple[Stretch, ...]
    lapses: tuple[tuple[str, str], ...]
    keys: Mapping[str, bytes]
    digests: frozenset[str]

    @property
    def policy(self) -> Policy:
        """The one in force at the period's end."""
        return self.stretches[-1].files.policy

    @property
    def charter(self) -> Charter | None:
        """The one above it, if there is one."""
        return self.stretches[-1].files.charter

    def key_lists(self) -> Iterator[EpochKeys]:
        """Of the recipients of the newest policy, as published; one that its policy's key did not
        sign is left out.
        """
        city = CityRepository(self.folder)
        for name, recipient in sorted(self.policy.recipients.items()):
            files = drafts.files_of(city, self.newest.published, keys_role(name))
            if keys_path(name) not in files or not recipient.signing_key:
                continue
            try:
                yield verify_key_list(files[keys_path(name)], name, recipient.signing_key)
            except EnvelopeRefusedError:
                continue


def archive_facts(folder: Path, period: Period) -> Facts:
    """Everything that was published until the period's end.

    Raises UsageError (nothing was), ConfigError, StorageError.
    """
    city = CityRepository(folder)
    known = [
        one
        for one in Archive(city).publications()
        if rfc3339(one.issued) < period.ends_before and one.published.role(POLICY) is not None
    ]
    if not known:
        raise UsageError(
            "no policy was published until the end of that period",
            where=f"--period {period.name}",
            fix="name a later one, or another copy of the repository",
        )
    newest = known[-1]
    identity = drafts.identity_of(city, newest.published, {})
    first_root = read_bounded(city.metadata / "1.root.json", MAX_METADATA_BYTES)
    texts = drafts.published_texts(city, newest.published)
    enrolled = texts.enrolled()
    changed = [one for before, one in zip([None, *known], known, strict=False) if _new(before, one)]
    return Facts(
        folder,
        identity.id,
        identity.name,
        newest,
        hashlib.sha256(first_root).hexdigest(),
        tuple(sorted(enrolled.devices)) if enrolled else (),
        tuple(_stretches(city, changed, period)),
        tuple(_lapses(known, period)),
        _log_keys(city, changed),
        frozenset(_digests(city, changed)),
    )


def _new(before: Publication | None, now: Publication) -> bool:
    """Does it bring another policy or charter?"""
    return before is None or any(before.version(role) != now.version(role) for role in _ROLES)


_ROLES = (POLICY, TARGETS)


def _stretches(
    city: CityRepository, changed: Sequence[Publication], period: Period
) -> Iterator[Stretch]:
    ends = [*(rfc3339(one.issued) for one in changed[1:]), ""]
    for one, until in zip(changed, ends, strict=True):
        if until and until < period.name:
            continue
        standing = Standing(
            one.number,
            one.issued,
            signers(city.folder, one.published, POLICY),
            signers(city.folder, one.published, TARGETS),
        )
        files = files_of(drafts.published_texts(city, one.published), standing)
        yield Stretch(one.number, rfc3339(one.issued), until, files)


def _lapses(known: Sequence[Publication], period: Period) -> Iterator[tuple[str, str]]:
    """What lapses later than the next one comes has not lapsed. A daily job that goes on over a
    policy that has ended makes one lapse, not one a day.
    """
    since, until = "", ""
    for one, after in zip(known, [*known[1:], None], strict=True):
        begins, ends = rfc3339(max(one.lapses, one.issued)), rfc3339(after.issued) if after else ""
        if ends and begins >= ends:
            continue
        if since and begins == until:
            until = ends
            continue
        yield from _touching(since, until, period)
        since, until = begins, ends
    yield from _touching(since, until, period)


def _touching(since: str, until: str, period: Period) -> Iterator[tuple[str, str]]:
    """A lapse that touches the period; none where `since` is empty."""
    if since and since < period.ends_before and (not until or until > period.name):
        yield since, until


def _log_keys(city: CityRepository, changed: Sequence[Publication]) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for one in changed:
        enrolled = drafts.published_texts(city, one.published).enrolled()
        for device, pair in enrolled.logs.items() if enrolled else ():
            for process, raw in zip(("watch", "deliver"), pair, strict=True):
                keys[origin_of(device, process)] = raw
    return keys


def _digests(city: CityRepository, changed: Sequence[Publication]) -> Iterator[str]:
    for one in changed:
        text = drafts.published_texts(city, one.published).policy
        yield hashlib.sha256(text or b"").hexdigest()


def scheduled(keys: EpochKeys, period: Period) -> int:
    """How many epoch keys the recipient's signed list ends within the period."""
    return sum(period.holds(rfc3339(deadline_of(epoch))) for epoch in keys.keys)
