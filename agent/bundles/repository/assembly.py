"""Puts together what is published next: everything that enough have signed, a snapshot over it and
a timestamp; checked as a camera will check it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import UnsignedMetadataError

from agent.bundles.layout import ISSUED, POLICY, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from agent.bundles.repository.next_version import require_own, snapshot_of, timestamp_of
from agent.bundles.repository.published import (
    ONLINE,
    Published,
    Standing,
    Trust,
    delegations,
    keys_of,
    trust_in,
)
from agent.bundles.repository.signing_keys import holder_of
from agent.core.reasons import Reason
from agent.core.text.plain_words import quoted_names
from agent.core.text.rfc3339 import parse_rfc3339, rfc3339
from agent.errors import BundleRefusedError, ConfigError, UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from securesystemslib.signer import Signer
    from tuf.api.metadata import Metadata, Root, Targets

    from agent.bundles.repository.published import CityRepository, Pending


@dataclass(frozen=True, slots=True)
class Candidate:
    """What would be published.

    `taken`: roles whose pending version is in it; `waiting`: those that lack signatures, and whose.
    """

    published: Published | None
    root: Metadata[Root]
    targets: Metadata[Targets]
    delegated: Mapping[str, Metadata[Targets]]
    taken: Mapping[str, Pending]
    waiting: Mapping[str, tuple[Standing, ...]]

    def role(self, name: str) -> Metadata[Any]:
        """Root, targets or a delegated role."""
        top: dict[str, Metadata[Any]] = {ROOT: self.root, TARGETS: self.targets}
        return top.get(name) or self.delegated[name]


@dataclass(frozen=True, slots=True)
class Files:
    """What `writer.publish` writes: metadata and targets by file name, and timestamp.json."""

    metadata: Mapping[str, bytes]
    targets: Mapping[str, bytes]
    timestamp: bytes
    versions: Mapping[str, int]
    expires: datetime


def assemble(
    city: CityRepository, published: Published | None, pending: Mapping[str, Pending]
) -> Candidate:
    """Everything complete over what is published.

    Raises ConfigError, UsageError, BundleRefusedError; each says what is missing and from whom.
    """
    trust = trust_in(published, pending, city.folder)
    standings = {role: trust.standings(role, item.metadata) for role, item in pending.items()}
    waiting = {
        role: found
        for role, found in standings.items()
        if not found or any(one.missing for one in found)
    }
    taken = {role: item for role, item in pending.items() if role not in waiting}
    for role, item in pending.items():
        require_next(role, item, published)
        if role != ROOT:
            require_own(
                role,
                {
                    path: described.length
                    for path, described in item.metadata.signed.targets.items()
                },
            )
    root = taken[ROOT].metadata if ROOT in taken else published.root if published else None
    targets = (
        taken[TARGETS].metadata if TARGETS in taken else published.targets if published else None
    )
    if root is None or targets is None:
        missing = ROOT if root is None else TARGETS
        raise _too_few(missing, standings.get(missing, ()))
    delegated = dict(published.delegated) if published else {}
    delegated |= {
        role: item.metadata for role, item in taken.items() if role not in {ROOT, TARGETS}
    }
    candidate = Candidate(published, root, targets, delegated, taken, waiting)
    _require_whole(candidate)
    return candidate


def sign_online(city: CityRepository, candidate: Candidate, signer: Signer, now: datetime) -> Files:
    """Snapshot and timestamp by the online key, and everything that is new.

    Raises UsageError, ConfigError.
    """
    require_holds_online(candidate.root, signer)
    before = candidate.published
    issued = issued_of(before) if before else None
    if issued and now < issued:
        raise UsageError(
            f"the newest timestamp was issued later, at {rfc3339(issued)}",
            where="this machine's clock",
            fix="set the clock, then publish",
        )
    snapshot = snapshot_of(
        before.snapshot if before else None,
        {TARGETS: candidate.targets, **candidate.delegated},
        now,
    )
    sign(snapshot, signer)
    timestamp = timestamp_of(before.timestamp if before else None, snapshot, now)
    sign(timestamp, signer)
    targets: dict[str, bytes] = {}
    for role, item in candidate.taken.items():
        if role != ROOT:
            targets |= _targets_of(city, before, item)
    roles = [role for role in candidate.taken if role != ROOT]
    metadata = {
        f"{candidate.role(role).signed.version}.{role}.json": candidate.role(role).to_bytes()
        for role in roles
    }
    metadata |= {f"{snapshot.signed.version}.{SNAPSHOT}.json": snapshot.to_bytes()}
    # The root is the last but for the timestamp: what it changes is whole an instant later.
    if ROOT in candidate.taken:
        metadata |= {f"{candidate.root.signed.version}.{ROOT}.json": candidate.root.to_bytes()}
    versions = {
        role: candidate.role(role).signed.version for role in (ROOT, TARGETS, *candidate.delegated)
    }
    versions |= {SNAPSHOT: snapshot.signed.version, TIMESTAMP: timestamp.signed.version}
    return Files(metadata, targets, timestamp.to_bytes(), versions, timestamp.signed.expires)


def issued_of(published: Published) -> datetime:
    """When the newest timestamp was signed. Raises ConfigError."""
    try:
        return parse_rfc3339(published.timestamp.signed.unrecognized_fields[ISSUED])
    except (KeyError, TypeError, ValueError):
        raise ConfigError(
            "does not say when it was issued",
            where="timestamp.json",
            fix="restore the repository from a copy",
        ) from None


def require_next(role: str, item: Pending, published: Published | None) -> None:
    """Refuse a pending version that is not the next one. Raises UsageError."""
    last = published.role(role) if published else None
    version = item.metadata.signed.version
    if version != (last.signed.version + 1 if last else 1):
        told = (
            f"what is pending is version {version}, "
            f"and version {last.signed.version if last else 0} is published"
        )
        raise UsageError(
            told, where=f"role {role}", fix=f"begin anew: bundle sign --role {role} --start-again"
        )


def _targets_of(city: CityRepository, before: Published | None, item: Pending) -> dict[str, bytes]:
    """The role's files by their names on disk; those that are not pending must be published
    already.
    """
    found = {}
    for path, described in item.metadata.signed.targets.items():
        data = item.files.get(path)
        if data is None:
            old = before.role(item.role) if before else None
            if old is None or old.signed.targets.get(path) != described:
                raise ConfigError(
                    "is not there",
                    where=f"pending {item.role}: {path}",
                    fix=f"sign again: bundle sign --role {item.role} --start-again",
                )
            data = city.target(old, path)
        found[described.get_prefixed_paths()[0]] = data
    return found


def _require_whole(candidate: Candidate) -> None:
    """Everything is signed by those who hold it *after* this publish: a change of keys never leaves
    a role behind that a camera would refuse.
    """
    trust = Trust(candidate.root, candidate.targets)
    for role in (TARGETS, *delegations(candidate.targets.signed)):
        metadata = candidate.targets if role == TARGETS else candidate.delegated.get(role)
        if metadata is None:
            if role == POLICY:
                raise _too_few(POLICY, candidate.waiting.get(POLICY, ()))
            continue  # nothing to carry yet: a list or a recipient's keys come when they come
        standings = trust.standings(role, metadata)
        if any(one.missing for one in standings):
            raise _too_few(role, candidate.waiting.get(role, standings))


def _too_few(role: str, standings: tuple[Standing, ...]) -> BundleRefusedError:
    what = f"role {role} {'; '.join(map(told, standings)) or 'was never signed'}"
    return BundleRefusedError(
        Reason.BUNDLE_SIGNATURE_THRESHOLD,
        what,
        fix=f"those who are missing type: platewarden bundle sign --role {role}",
    )


def told(standing: Standing) -> str:
    """A standing in words: `signed by "Ada Clerk": 1 of 2; to come from "Ben Jones"`."""
    of = f" (of {standing.of})" if standing.of else ""
    signed = (
        f"signed by {quoted_names(standing.signed)}: "
        f"{len(standing.signed)} of {standing.threshold}{of}"
    )
    others = quoted_names(standing.unsigned, " or ")
    return f"{signed}; to come from {others}" if standing.missing else signed


def require_holds_online(root: Metadata[Root], signer: Signer) -> None:
    """Refuse a key that cannot make the repository current. Raises UsageError."""
    keyid = signer.public_key.keyid
    for role in ONLINE:
        listed = keys_of(root.signed, role)
        if keyid not in listed:
            holders = quoted_names(sorted(map(holder_of, listed.values())))
            raise UsageError(
                f"this key does not hold role {role}",
                where="--key",
                fix=f"publish with the key of {holders}",
            )


def sign(metadata: Metadata[Any], signer: Signer) -> None:
    """Add one signature. Raises ConfigError."""
    try:
        metadata.sign(signer, append=True)
    except UnsignedMetadataError as error:
        raise ConfigError(
            f"the key does not sign: {error.__cause__}",
            where="--key",
            fix="is the token still plugged in?",
        ) from None
