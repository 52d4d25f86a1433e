"""Says in our words why the updater refused a bundle: which role, which versions, who signed
(docs/ref/reasons.md).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tuf.api.exceptions import (
    BadVersionNumberError,
    DownloadLengthMismatchError,
    ExpiredMetadataError,
    LengthOrHashMismatchError,
    RepositoryError,
    UnsignedMetadataError,
)
from tuf.api.metadata import Metadata
from tuf.api.serialization import DeserializationError

from agent.bundles.layout import (
    HOLDER,
    MAX_HOLDER_CHARACTERS,
    ROOT,
    SNAPSHOT,
    TARGETS,
    TIMESTAMP,
    TOP_LEVEL,
)
from agent.core.reasons import Reason
from agent.core.text.plain_words import quoted_names
from agent.errors import BundleRefusedError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from tuf.api.metadata import Key, VerificationResult

    from agent.bundles.inbox import Inbox

_AGAIN = "the city must publish again"
_KEPT = (
    "this camera keeps what it verified before; "
    "tell the city, for somebody may be replaying old files"
)


def refusal(error: Exception, inbox: Inbox, work: Path, reference: datetime) -> BundleRefusedError:
    """Our refusal for tuf's error.

    `work`: the updater's own folder of verified metadata; `reference`: the time that it judged by.
    """
    if inbox.refusal is not None:
        return inbox.refusal
    role, where = inbox.role, inbox.folder / inbox.file
    match error:
        case UnsignedMetadataError():
            found = _unsigned(inbox, work, where)
        case ExpiredMetadataError():
            found = _expired(inbox, work, reference, where)
        case DeserializationError():
            found = _unreadable(inbox.raw.get(role, b""), role, where)
        case _ if role == "":
            what, fix = "length or SHA-256 is not what was signed", "fetch or copy it again"
            found = BundleRefusedError(Reason.BUNDLE_TARGET_ALTERED, what, where=where, fix=fix)
        case _ if role == ROOT:
            what = "does not follow the root before it"
            found = BundleRefusedError(Reason.BUNDLE_ROOT_BROKEN, what, where=where, fix=_AGAIN)
        case BadVersionNumberError():
            found = _odd_version(inbox, work, where)
        case LengthOrHashMismatchError() | DownloadLengthMismatchError():
            what = f"{role} is not the one that {TIMESTAMP if role == SNAPSHOT else SNAPSHOT} names"
            found = BundleRefusedError(
                Reason.BUNDLE_SNAPSHOT_MISMATCH, what, where=where, fix=_KEPT
            )
        case RepositoryError() if role == SNAPSHOT:
            found = _odd_version(inbox, work, where)
        case _:
            what = f"{role}: not as TUF 1.0 writes it"
            found = BundleRefusedError(Reason.BUNDLE_MALFORMED, what, where=where, fix=_AGAIN)
    return found


def holder_of(key: Key) -> str:
    """Who holds the private half of a key, as root or targets say; the start of its id where they
    do not.
    """
    name = key.unrecognized_fields.get(HOLDER)
    return (
        name
        if isinstance(name, str) and name.isprintable() and 0 < len(name) <= MAX_HOLDER_CHARACTERS
        else f"key {key.keyid[:12]}"
    )


def verified(work: Path, role: str) -> Metadata[Any] | None:
    """A role's metadata as the updater last verified it; None where it never did."""
    try:
        return Metadata.from_bytes((work / f"{role}.json").read_bytes())
    except (OSError, DeserializationError):
        return None


def _fetched(inbox: Inbox, role: str) -> Metadata[Any] | None:
    try:
        return Metadata.from_bytes(inbox.raw[role]) if role in inbox.raw else None
    except DeserializationError:
        return None


def _unsigned(inbox: Inbox, work: Path, where: Path) -> BundleRefusedError:
    """Too few signatures that count.

    None at all by anybody whom the root names is another city's, or nobody's.
    """
    role, untrusted = inbox.role, _fetched(inbox, inbox.role)
    delegator = verified(work, ROOT if role in TOP_LEVEL else TARGETS)
    if untrusted is None or delegator is None:
        return BundleRefusedError(
            Reason.BUNDLE_MALFORMED, f"{role}: not as TUF 1.0 writes it", where=where, fix=_AGAIN
        )
    payload, signatures = untrusted.signed_bytes, untrusted.signatures
    result: VerificationResult = delegator.signed.get_verification_result(role, payload, signatures)
    known = {*result.signed, *result.unsigned} & signatures.keys()
    if role in TOP_LEVEL and not known:
        return BundleRefusedError(
            Reason.BUNDLE_OTHER_CITY,
            f"{role} is signed by none of this city's keys",
            where=where,
            fix="is it another city's stick?",
        )
    if role != ROOT:
        return BundleRefusedError(
            Reason.BUNDLE_SIGNATURE_THRESHOLD,
            f"{role}: {_who(result)}",
            where=where,
            fix="the others must sign before it is published",
        )
    own: VerificationResult = untrusted.signed.get_verification_result(ROOT, payload, signatures)
    what = f"a new root: of the old keys, {_who(result)}; of its own, {_who(own)}"
    return BundleRefusedError(
        Reason.BUNDLE_ROOT_BROKEN,
        what,
        where=where,
        fix="enough holders of the old root and of the new one must sign it",
    )


def _who(result: VerificationResult) -> str:
    names = quoted_names(sorted(holder_of(key) for key in result.signed.values()))
    return f"signed by {names}: {len(result.signed)} of {result.threshold} needed"


def _expired(inbox: Inbox, work: Path, reference: datetime, where: Path) -> BundleRefusedError:
    """The first role in the chain that has expired: the updater notices some only when it needs
    them.
    """
    role, lapsed = inbox.role, _fetched(inbox, inbox.role)
    for name in (ROOT, TIMESTAMP, SNAPSHOT):
        metadata = (
            verified(work, ROOT) if name == ROOT else _fetched(inbox, name) or verified(work, name)
        )
        if metadata is not None and metadata.signed.is_expired(reference):
            role, lapsed = name, metadata
            break
    since = f" on {lapsed.signed.expires:%Y-%m-%d %H:%M} UTC" if lapsed is not None else ""
    return BundleRefusedError(
        Reason.BUNDLE_EXPIRED,
        f"{role} expired{since}",
        where=where,
        fix="bring newer bundles; is this machine's date right?",
    )


def _unreadable(untrusted: bytes, role: str, where: Path) -> BundleRefusedError:
    """Not metadata at all; or metadata that one key signed twice, which tuf does not even read."""
    try:
        listed = [entry["keyid"] for entry in json.loads(untrusted)["signatures"]]
        twice = len(set(listed)) != len(listed)
    except (ValueError, KeyError, TypeError, RecursionError):
        twice = False
    if twice:
        return BundleRefusedError(
            Reason.BUNDLE_SAME_SIGNER_TWICE,
            f"{role}: two signatures by one key",
            where=where,
            fix="another holder must sign",
        )
    return BundleRefusedError(
        Reason.BUNDLE_MALFORMED,
        f"{role}: cut short, or not as TUF 1.0 writes it",
        where=where,
        fix="fetch or copy it again",
    )


def _odd_version(inbox: Inbox, work: Path, where: Path) -> BundleRefusedError:
    """Older than what was verified before (a rollback), or not the version that the metadata above
    it names (a mixture).
    """
    role, untrusted, before = inbox.role, _fetched(inbox, inbox.role), verified(work, inbox.role)
    if role == TIMESTAMP and untrusted is not None and before is not None:
        if untrusted.signed.version < before.signed.version:
            return rollback(TIMESTAMP, untrusted.signed.version, before.signed.version, where)
        return rollback(
            SNAPSHOT,
            untrusted.signed.snapshot_meta.version,
            before.signed.snapshot_meta.version,
            where,
        )
    named = verified(work, TIMESTAMP)
    mixed = (
        untrusted is not None
        and named is not None
        and role == SNAPSHOT
        and untrusted.signed.version != named.signed.snapshot_meta.version
    )
    if role == SNAPSHOT and untrusted is not None and before is not None and not mixed:
        found = {name: meta.version for name, meta in untrusted.signed.meta.items()}
        for name, meta in sorted(before.signed.meta.items()):
            if found.get(name, 0) < meta.version:
                return rollback(name.removesuffix(".json"), found.get(name, 0), meta.version, where)
    named_by = TIMESTAMP if role == SNAPSHOT else SNAPSHOT
    return BundleRefusedError(
        Reason.BUNDLE_SNAPSHOT_MISMATCH,
        f"{role} is not the version that {named_by} names",
        where=where,
        fix=_KEPT,
    )


def rollback(role: str, found: int, before: int, where: str | Path) -> BundleRefusedError:
    """The refusal for a role that went back."""
    told = f"version {found}" if found else "gone"
    return BundleRefusedError(
        Reason.BUNDLE_ROLLBACK,
        f"{role} is {told}, and version {before} was verified before",
        where=where,
        fix=_KEPT,
    )
