"""What a camera asks of verified metadata beyond TUF: thresholds of people, nobody twice, nothing
outside a role's paths, no field that it does not know.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from securesystemslib.formats import encode_canonical

from agent.bundles.layout import (
    ISSUED,
    KEYS_PREFIX,
    MAX_FILES,
    MAX_RECIPIENTS,
    ROLES,
    ROOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
    may_sign,
    most_bytes,
    rule_of,
)
from agent.bundles.refusal_words import holder_of
from agent.core.reasons import Reason
from agent.core.text.rfc3339 import parse_rfc3339
from agent.core.text.strict_json import FIRST_YEAR, LAST_YEAR
from agent.errors import BundleRefusedError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import Key, Metadata, Root, Targets, Timestamp

    from agent.bundles.layout import RoleRule

_AGAIN = "the city must publish again"


def check_root(root: Root, where: Path) -> None:
    """Consistent snapshots, every role's keys all different. Raises BundleRefusedError."""
    if not root.consistent_snapshot:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED, "root: without consistent snapshots", where=where, fix=_AGAIN
        )
    for name in TOP_LEVEL:
        _check_keys(root, name, where)


def check_expiry(role: str, expires: datetime, where: Path) -> None:
    """An expiry that other dates can be computed from without an overflow.

    Raises BundleRefusedError.
    """
    if not FIRST_YEAR <= expires.year <= LAST_YEAR:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED,
            f"{role} expires in the year {expires.year}, not in {FIRST_YEAR} to {LAST_YEAR}",
            where=where,
            fix=_AGAIN,
        )


def check_people(root: Root, targets: Targets, where: Path) -> None:
    """As many people as layout asks for, each once, behind root, targets and policy.

    Not for a rig's city. Raises BundleRefusedError.
    """
    listed: list[tuple[Root | Targets, str]] = [
        (root, ROOT),
        (root, TARGETS),
        *((targets, name) for name in _delegations(targets)),
    ]
    for delegator, name in listed:
        rule, role = rule_of(name), delegator.get_delegated_role(name)
        if rule is not None and role.threshold < rule.least_signers:
            what = (
                f"{name} needs {role.threshold} signature, "
                f"and a camera accepts no fewer than {rule.least_signers}"
            )
            raise BundleRefusedError(
                Reason.BUNDLE_THRESHOLD_TOO_LOW,
                what,
                where=where,
                fix="the city must raise the threshold",
            )
        if rule is not None and rule.least_signers > 1:
            holder, times = Counter(map(holder_of, _keys(delegator, name, where))).most_common(1)[0]
            if times > 1:
                what = f"{name}: {holder} holds {times} of its keys"
                raise BundleRefusedError(
                    Reason.BUNDLE_SAME_SIGNER_TWICE,
                    what,
                    where=where,
                    fix="each key must have a holder of its own",
                )


def check_delegations(targets: Targets, where: Path) -> tuple[RoleRule, ...]:
    """The rules of the delegated roles, each known and confined to its own paths.

    Raises BundleRefusedError.
    """
    names, rules = _delegations(targets), []
    if targets.delegations and targets.delegations.succinct_roles is not None:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED, "delegates to roles by hash", where=where, fix=_AGAIN
        )
    if sum(name.startswith(KEYS_PREFIX) for name in names) > MAX_RECIPIENTS:
        raise BundleRefusedError(
            Reason.BUNDLE_TOO_LARGE,
            f"more than {MAX_RECIPIENTS} recipients",
            where=where,
            fix=_AGAIN,
        )
    for name in names:
        rule = rule_of(name)
        role: Any = targets.get_delegated_role(name)
        if rule is None or name in TOP_LEVEL:
            raise BundleRefusedError(
                Reason.BUNDLE_MALFORMED,
                "delegates to a role that this version does not know",
                where=where,
                fix="update this camera's software",
            )
        if role.path_hash_prefixes is not None or not set(role.paths or ()) <= set(rule.paths):
            raise _outside(f"{name} is handed paths that are not its own", where)
        _check_keys(targets, name, where)
        rules.append(rule)
    return tuple(rules)


def check_targets(name: str, targets: Targets, where: Path) -> None:
    """Every file of a role is its own to sign, sized within bounds, hashed with SHA-256; a
    delegated role delegates nothing.

    Raises BundleRefusedError.
    """
    rule = rule_of(name)
    if rule is None or (name != TARGETS and targets.delegations is not None):
        raise _outside(f"{name} hands its authority on", where)
    if len(targets.targets) > MAX_FILES:
        raise BundleRefusedError(
            Reason.BUNDLE_TOO_LARGE,
            f"{name} signs more than {MAX_FILES} files",
            where=where,
            fix=_AGAIN,
        )
    for path, file in targets.targets.items():
        if not may_sign(rule, path):
            raise _outside(f"{name} signed a file that is not its own", where)
        if "sha256" not in file.hashes:
            raise BundleRefusedError(
                Reason.BUNDLE_MALFORMED, f"{path}: without a SHA-256", where=where, fix=_AGAIN
            )
        if file.length > most_bytes(path):
            raise BundleRefusedError(
                Reason.BUNDLE_TOO_LARGE,
                f"{path} holds {file.length} bytes; at most {most_bytes(path)} are taken",
                where=where,
                fix=_AGAIN,
            )


def check_fields(metadata: Mapping[str, Metadata[Any]], where: Path) -> None:
    """No signed field that this version does not know: it could narrow what the others say.

    Raises BundleRefusedError.
    """
    for name, one in metadata.items():
        known = {ISSUED} if name == TIMESTAMP else set()
        if one.signed.unrecognized_fields.keys() - known:
            raise BundleRefusedError(
                Reason.BUNDLE_MALFORMED,
                f"{name}: has a field that this version does not know",
                where=where,
                fix="update this camera's software",
            )


def issued_at(timestamp: Timestamp, where: Path) -> datetime:
    """When the timestamp was signed. Raises BundleRefusedError."""
    try:
        issued = parse_rfc3339(timestamp.unrecognized_fields[ISSUED])
    except (KeyError, ValueError, TypeError, AttributeError):
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED,
            f"{TIMESTAMP}: does not say when it was issued",
            where=where,
            fix=_AGAIN,
        ) from None
    lives = timestamp.expires - issued
    # An online key, if stolen, must not vouch for months.
    if not lives.total_seconds() > 0 or lives > 2 * ROLES[TIMESTAMP].lifetime:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED,
            f"{TIMESTAMP}: lives {lives.days} days",
            where=where,
            fix=_AGAIN,
        )
    return issued


def _check_keys(delegator: Root | Targets, name: str, where: Path) -> None:
    """No key stands twice in a role, however it is spelled: it would count twice.

    Each has the id that its content gives it.
    """
    keys = _keys(delegator, name, where)
    values = [_decoded(key, name, where) for key in keys]
    if len(set(values)) != len(values):
        raise BundleRefusedError(
            Reason.BUNDLE_SAME_SIGNER_TWICE,
            f"{name}: one key stands there twice",
            where=where,
            fix="each holder needs a key of its own",
        )
    for key in keys:
        if key.keyid != _id_of(key):
            raise BundleRefusedError(
                Reason.BUNDLE_MALFORMED,
                f"{name}: a key's id is not the SHA-256 of the key",
                where=where,
                fix=_AGAIN,
            )


def _id_of(key: Key) -> str:
    """The id that TUF 1.0 gives a key: SHA-256 over the canonical JSON of what it is."""
    what = {"keytype": key.keytype, "scheme": key.scheme, "keyval": key.keyval}
    return hashlib.sha256(str(encode_canonical(what)).encode("utf-8")).hexdigest()


def _decoded(key: Key, name: str, where: Path) -> bytes:
    """The key itself.

    Hex digits may be written in either case, and PEM be broken over other lines.

    Raises BundleRefusedError where it cannot be decoded: such a key could not sign anyway.
    """
    text = str(key.keyval.get("public"))
    try:
        if key.keytype == "ed25519":
            return bytes.fromhex(text)
        public = load_pem_public_key(text.encode("ascii"))
        return public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm):
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED,
            f"{name}: a key of it cannot be decoded",
            where=where,
            fix=_AGAIN,
        ) from None


def _keys(delegator: Root | Targets, name: str, where: Path) -> list[Key]:
    try:
        keys = [delegator.get_key(keyid) for keyid in delegator.get_delegated_role(name).keyids]
    except ValueError:
        keys = []
    if not keys:
        raise BundleRefusedError(
            Reason.BUNDLE_MALFORMED, f"{name}: a key of it is missing", where=where, fix=_AGAIN
        )
    return keys


def _delegations(targets: Targets) -> tuple[str, ...]:
    return tuple(targets.delegations.roles or ()) if targets.delegations else ()


def _outside(what: str, where: Path) -> BundleRefusedError:
    return BundleRefusedError(
        Reason.BUNDLE_ROLE_OUTSIDE_PATHS,
        what,
        where=where,
        fix="tell the city: this role's keys may be in wrong hands",
    )
