"""Makes the next version of a role's metadata, unsigned: values in, values out, the time given."""

from __future__ import annotations

import copy
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from agent.bundles.layout import (
    ISSUED,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    most_bytes,
    recipient_of,
    rule_of,
)
from agent.bundles.layout import may_sign as is_own
from agent.bundles.repository.signing_keys import holder_of
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import rfc3339
from agent.errors import BundleRefusedError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from agent.bundles.layout import RoleRule
    from agent.bundles.repository.signing_keys import KeyHolder


def first_root(
    holders: Mapping[str, Sequence[KeyHolder]], thresholds: Mapping[str, int], now: datetime
) -> Metadata[Root]:
    """Root version 1. `holders`, `thresholds`: of TUF's four own roles."""
    root = Root(
        version=1,
        expires=_end(ROOT, now),
        roles={role: Role([], 1) for role in TOP_LEVEL},
        consistent_snapshot=True,
    )
    for role in TOP_LEVEL:
        for holder in holders[role]:
            root.add_key(holder.key, role)
        _set_threshold(root.roles[role], role, thresholds[role], rig=True)
    return Metadata(root)


def first_targets(
    holders: Mapping[str, Sequence[KeyHolder]],
    thresholds: Mapping[str, int],
    files: Mapping[str, bytes],
    now: datetime,
) -> Metadata[Targets]:
    """Targets version 1 with the delegations.

    `holders`: of the delegated roles, the order of which stays.
    """
    targets = Targets(version=1, expires=_end(TARGETS, now), delegations=Delegations({}, roles={}))
    for role, keys in holders.items():
        delegate(targets, role)
        for holder in keys:
            targets.add_key(holder.key, role)
        _set_threshold(_role(targets, role), role, thresholds[role], rig=True)
    _describe(targets, TARGETS, files)
    return Metadata(targets)


def next_version(
    before: Metadata[Any] | None,
    role: str,
    files: Mapping[str, bytes] | None,
    now: datetime,
    keep: Iterable[str] = (),
) -> Metadata[Any]:
    """The next version, unsigned, with a new end.

    `files`: all targets of the role but those to `keep` as they were; None: it keeps those it has
    (root has none).
    """
    signed = copy.deepcopy(before.signed) if before else Targets()
    signed.version = before.signed.version + 1 if before else 1
    signed.expires = _end(role, now)
    if files is not None:
        same = {path: signed.targets[path] for path in keep}
        _describe(signed, role, files)
        signed.targets = dict(sorted((signed.targets | same).items()))
    return Metadata(signed)


def delegate(targets: Targets, role: str) -> None:
    """Hand a new role its paths, without keys yet. Raises UsageError."""
    rule = rule_of(role)
    if rule is None or role in TOP_LEVEL:
        raise UsageError(
            "no such role",
            where=role,
            fix="policy, hotlist, software, or keys- and a recipient's id",
        )
    if targets.delegations is None:
        targets.delegations = Delegations({}, roles={})
    assert targets.delegations.roles is not None  # noqa: S101 (nothing of ours delegates by hash)
    targets.delegations.roles[role] = DelegatedRole(
        role, [], rule.least_signers, terminating=True, paths=list(rule.paths)
    )


def lacks_paths(targets: Targets, role: str) -> bool:
    """Whether a delegation is of an earlier version, which knew fewer paths of this role."""
    rule = rule_of(role)
    return rule is not None and set(_role(targets, role).paths or ()) < set(rule.paths)  # type: ignore[attr-defined]


def hand_paths(targets: Targets, role: str) -> None:
    """Hand a role all paths that this version knows as its own, in place. Raises UsageError."""
    _role(targets, role).paths = list(_rule(role).paths)  # type: ignore[attr-defined]


def change_keys(
    signed: Root | Targets,
    role: str,
    add: Sequence[KeyHolder],
    remove: Sequence[str],
    threshold: int | None,
    *,
    rig: bool,
) -> None:
    """Replace keys of a role in place.

    `remove`: holders' names or the start of key ids. Raises UsageError, or BundleRefusedError where
    too few would be left.
    """
    listed = _role(signed, role)
    for name in remove:
        found = [
            keyid
            for keyid in listed.keyids
            if holder_of(signed.get_key(keyid)) == name
            or (len(name) >= 8 and keyid.startswith(name))
        ]
        if len(found) != 1:
            told = ", ".join(holder_of(signed.get_key(keyid)) for keyid in listed.keyids)
            raise UsageError(
                f"{'nobody' if not found else 'more than one key'} of role {role} is called so",
                where=name,
                fix=f"held by: {told}",
            )
        signed.revoke_key(found[0], role)
    for holder in add:
        if holder.id in listed.keyids:
            raise UsageError(
                f"holds role {role} already",
                where=holder.name,
                fix="each holder makes a key of their own: bundle key",
            )
        signed.add_key(holder.key, role)
    _set_threshold(listed, role, listed.threshold if threshold is None else threshold, rig=rig)
    require_own_names(role, [holder_of(signed.get_key(keyid)) for keyid in listed.keyids])


def require_own_names(role: str, names: Iterable[str]) -> None:
    """Refuse one holder with two keys of a role: 2 of 3 would be one person. Raises UsageError."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise UsageError(
            f"would hold two keys of role {role}",
            where=twice[0],
            fix="one key for each person; --remove the old one",
        )


def snapshot_of(
    before: Metadata[Snapshot] | None, members: Mapping[str, Metadata[Targets]], now: datetime
) -> Metadata[Snapshot]:
    """The next snapshot, unsigned, over targets and all delegated roles."""
    meta = {f"{role}.json": _described(metadata) for role, metadata in members.items()}
    return Metadata(Snapshot(version=_after(before), expires=_end(SNAPSHOT, now), meta=meta))


def timestamp_of(
    before: Metadata[Timestamp] | None, snapshot: Metadata[Snapshot], now: datetime
) -> Metadata[Timestamp]:
    """The next timestamp, unsigned, with the time of signing."""
    fields = {ISSUED: rfc3339(now)}
    return Metadata(
        Timestamp(
            version=_after(before),
            expires=_end(TIMESTAMP, now),
            snapshot_meta=_described(snapshot),
            unrecognized_fields=fields,
        )
    )


def require_end(role: str, metadata: Metadata[Any], now: datetime) -> None:
    """Refuse a version that was begun by a clock that was wrong, here or there. Raises UsageError.

    Mitigates against: a policy that would be in force for years, because one clerk's machine said
    so.
    """
    rule = rule_of(role)
    end = metadata.signed.expires
    if rule is not None and now < end <= now + rule.lifetime + timedelta(days=1):
        return
    what = (
        f"would have ended on {end:%Y-%m-%d}"
        if end <= now
        else f"would live until {end:%Y-%m-%d}, longer than this role may"
    )
    raise UsageError(
        f"{what}, and this machine's clock says {now:%Y-%m-%d}",
        where=f"role {role}",
        fix=f"set the clock that is wrong; then begin anew: bundle withdraw --role {role}",
    )


def require_own(role: str, files: Mapping[str, int]) -> None:
    """Refuse a file that is not the role's to sign, or too large for a camera.

    `files`: lengths by path. Raises BundleRefusedError.
    """
    rule = rule_of(role)
    for path, length in files.items():
        if rule is None or not is_own(rule, path):
            raise BundleRefusedError(
                Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
                f"role {role} may not sign this file",
                where=path,
                fix="remove it from what is signed",
            )
        if length > most_bytes(path):
            raise BundleRefusedError(
                Reason.BUNDLE_TOO_LARGE,
                f"{length} bytes; a camera takes {most_bytes(path)}",
                where=path,
                fix="make it smaller",
            )


def _describe(targets: Targets, role: str, files: Mapping[str, bytes]) -> None:
    require_own(role, {path: len(data) for path, data in files.items()})
    targets.targets = {
        path: TargetFile.from_data(path, data, ["sha256"]) for path, data in sorted(files.items())
    }


def _described(metadata: Metadata[Any]) -> MetaFile:
    return MetaFile.from_data(metadata.signed.version, metadata.to_bytes(), ["sha256"])


def _after(before: Metadata[Any] | None) -> int:
    return before.signed.version + 1 if before else 1


def _role(signed: Root | Targets, role: str) -> Role:
    try:
        return signed.get_delegated_role(role)
    except ValueError:
        known = (
            "keys-RECIPIENT is for a recipient that the policy lists"
            if recipient_of(role)
            else "root, targets, policy, hotlist, software, timestamp"
        )
        raise UsageError("there is no such role", where=role, fix=known) from None


def _set_threshold(listed: Role, role: str, threshold: int, *, rig: bool) -> None:
    least = _rule(role).least_signers
    if threshold < least and not rig:
        what = f"role {role} needs {least} signatures at least: a camera accepts no fewer"
        raise BundleRefusedError(
            Reason.BUNDLE_THRESHOLD_TOO_LOW, what, fix="no single person may change what cameras do"
        )
    if not 1 <= threshold <= len(listed.keyids):
        what = f"role {role} would need {threshold} signatures of {len(listed.keyids)} holders"
        raise UsageError(what, fix="--add as many holders as you --remove, or change --threshold")
    listed.threshold = threshold


def _end(role: str, now: datetime) -> datetime:
    """For what people sign the beginning of the last day: two who begin one version on one day, on
    two machines, sign the same bytes.
    """
    rule = _rule(role)
    end = (now + rule.lifetime).replace(microsecond=0)
    return end if rule.online else end.replace(hour=0, minute=0, second=0)


def _rule(role: str) -> RoleRule:
    rule = rule_of(role)
    assert rule is not None  # noqa: S101 (every caller has a role of the table)
    return rule
