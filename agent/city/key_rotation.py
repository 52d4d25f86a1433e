"""A proposed change of keys: the next root or targets, with nobody's signature yet."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from agent.bundles.layout import (
    POLICY,
    ROOT,
    SNAPSHOT,
    SOFTWARE,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    recipient_of,
)
from agent.bundles.repository.next_version import (
    change_keys,
    delegate,
    hand_paths,
    lacks_paths,
    next_version,
)
from agent.bundles.repository.pending_files import keep_pending
from agent.bundles.repository.published import CityRepository, Pending, Trust, delegations, trust_in
from agent.bundles.repository.signing_keys import read_public
from agent.city import change_shown as change
from agent.city import drafts
from agent.core.policy.schema.policy_file import parse_policy
from agent.core.text.plain_words import quoted_names
from agent.errors import UsageError
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import Metadata, Targets

    from agent.bundles.repository.published import Published

ONLINE = "online"


@dataclass(frozen=True, slots=True)
class Rotation:
    """The command line."""

    roles: tuple[str, ...]
    add: Sequence[Path]
    remove: Sequence[str]
    threshold: int | None
    end: bool

    def __bool__(self) -> bool:
        """Whether it changes keys."""
        return bool(self.add or self.remove or self.threshold is not None or self.end)


@dataclass(frozen=True, slots=True)
class Proposed:
    """`changes`: in words; `sign`: roles that must be signed now, by whom; `again`: roles whose
    published version no longer has enough signatures.
    """

    changes: tuple[str, ...]
    sign: Mapping[str, tuple[str, ...]]
    again: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """For people."""
        yield from self.changes
        for role, standings in self.sign.items():
            yield (
                f"To be signed: {role}, by {'; '.join(standings)}. "
                f"platewarden bundle sign --role {role}"
            )
        for role in self.again:
            yield (
                f"To be signed again, since too few of its signatures still count: {role}. "
                f"platewarden bundle sign --role {role}"
            )

    def table(self) -> dict[str, object]:
        """As plain values."""
        return {
            "changes": list(self.changes),
            "sign": list(self.sign),
            "sign_again": list(self.again),
        }


def propose(folder: Path, rotation: Rotation, at: Callable[[bool], datetime]) -> Proposed:
    """Keep the proposal beside the repository.

    Raises UsageError, ConfigError, BundleRefusedError, StorageError.
    """
    city = CityRepository(folder)
    published, pending = city.published(), city.pending()
    trust = trust_in(published, pending, folder)
    identity = drafts.identity_of(city, published, pending)
    now = at(identity.rig)
    if not rotation and not any(_lacks_paths(trust, role) for role in rotation.roles):
        raise UsageError(
            "nothing changes",
            where="--role",
            fix="give --add FILE.pub, --remove HOLDER, --threshold N or --end",
        )
    made = {}
    for role in _expanded(rotation.roles):
        delegator = ROOT if role in TOP_LEVEL else TARGETS
        if delegator not in made:
            made[delegator] = _begun(delegator, trust, published, now)
        _apply(made[delegator].signed, role, rotation, city, published, rig=identity.rig)
    for delegator, metadata in made.items():
        files = (
            drafts.files_pending(city, published, pending[delegator])
            if delegator in pending and delegator == TARGETS
            else {}
        )
        keep_pending(folder, Pending(delegator, metadata, files))
    return _proposed(city, published, made)


def _lacks_paths(trust: Trust, role: str) -> bool:
    """Whether the role is of an earlier version. Never taken up beside a change of keys: a camera
    of that version refuses the new paths, and a lost key must not wait for its software.
    """
    signed = trust.targets.signed
    return role in delegations(signed) and lacks_paths(signed, role)


def _expanded(roles: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for role in roles:
        # One key holds both: apart they would protect nothing more, and be forgotten apart.
        if role in {SNAPSHOT, TIMESTAMP, ONLINE}:
            found += [SNAPSHOT, TIMESTAMP]
        else:
            found.append(role)
    return tuple(dict.fromkeys(found))


def _begun(
    delegator: str, trust: Trust, published: Published | None, now: datetime
) -> Metadata[Any]:
    """The next version, from what is proposed already (whose signatures fall away) or from what is
    published.
    """
    kept: Metadata[Any] = copy.deepcopy(trust.root if delegator == ROOT else trust.targets)
    last = published.role(delegator) if published else None
    kept.signed.version = last.signed.version if last else 0
    return next_version(kept, delegator, None, now)


def _apply(
    signed: Any,
    role: str,
    rotation: Rotation,
    city: CityRepository,
    published: Published | None,
    *,
    rig: bool,
) -> None:
    if rotation.end:
        _end(signed, role)
        return
    if not rotation and role in delegations(signed):
        hand_paths(signed, role)
        return
    if role not in TOP_LEVEL and role not in delegations(signed):
        if role != SOFTWARE:  # a city may be older than that role
            _require_listed(role, city, published)
        delegate(signed, role)
    change_keys(
        signed,
        role,
        [read_public(path) for path in rotation.add],
        rotation.remove,
        rotation.threshold,
        rig=rig,
    )


def _end(targets: Targets, role: str) -> None:
    if recipient_of(role) is None or role not in delegations(targets):
        raise UsageError(
            "only a recipient's keys can end",
            where=role,
            fix="other roles need a holder: --add FILE.pub --remove HOLDER",
        )
    for keyid in list(targets.get_delegated_role(role).keyids):
        targets.revoke_key(keyid, role)
    assert targets.delegations is not None  # noqa: S101 (it has that role)
    assert targets.delegations.roles is not None  # noqa: S101
    del targets.delegations.roles[role]


def _require_listed(role: str, city: CityRepository, published: Published | None) -> None:
    """Keys for somebody whom no policy lists would be a mistake of spelling. Raises UsageError."""
    recipient = recipient_of(role)
    texts = drafts.published_texts(city, published)
    draft = city.folder / drafts.POLICY_TOML
    known: set[str] = set()
    for text, where in (
        (texts.policy, "the published policy"),
        (draft.read_bytes() if draft.is_file() else None, str(draft)),
    ):
        known |= set(parse_policy(text, where).recipients) if text else set()
    if recipient is None or (known and recipient not in known):
        fix = (
            f"keys-RECIPIENT, for one of: {', '.join(sorted(known))}" if known else "keys-RECIPIENT"
        )
        raise UsageError(
            "there is no such role, and no such recipient in the policy", where=role, fix=fix
        )


def _proposed(
    city: CityRepository, published: Published | None, made: Mapping[str, Metadata[Any]]
) -> Proposed:
    """What it changes, and who must act now."""
    pending = city.pending()
    trust = trust_in(published, pending, city.folder)
    before = {role: metadata for role in made if published and (metadata := published.role(role))}
    sign = {}
    for role, metadata in made.items():
        standings = trust.standings(role, metadata)
        sign[role] = tuple(
            f"{one.threshold} of {quoted_names(one.unsigned)}{f' ({one.of})' if one.of else ''}"
            for one in standings
        )
    again = []
    for role in (TARGETS, *delegations(trust.targets.signed)):
        current = published.role(role) if published else None
        if role in pending:
            current = pending[role].metadata
        if (
            role not in made
            and current is not None
            and any(one.missing for one in trust.standings(role, current))
            and (published or role != POLICY)
        ):
            again.append(role)
    return Proposed(change.keys(before, made), sign, tuple(again))
