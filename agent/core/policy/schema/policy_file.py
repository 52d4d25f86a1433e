"""Parses a policy's TOML into core.policy.policy values: closed schema, default deny, no wildcards;
tells every fault at once (docs/ref/policy.md).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Any

from agent.core.policy.policy import (
    NEVER_RELEASE,
    Broker,
    HotlistLimits,
    Policy,
    Recipient,
    ReleaseRule,
)
from agent.core.policy.schema.tables import (
    BrokerTable,
    BundleSourceTable,
    HotlistTable,
    PolicyTable,
    RecipientTable,
    ReleaseTable,
    bars,
    names,
    raw,
    tables,
)
from agent.core.text.toml_document import Document, Path, open_document, read_document
from agent.core.wire.match_level import MatchLevel

if TYPE_CHECKING:
    from agent.core.policy.barring import Bar


def parse_policy(untrusted_text: bytes, where: str) -> Policy:
    """The policy in a file's bytes.

    Raises ConfigError listing all faults; `where` is the file's name in them.

    Says nothing of dates that have passed (core.policy.policy.require_in_force) or of the charter
    (core.policy.charter.require).
    """
    document = read_document(untrusted_text, where)
    policy = _policy(document, untrusted_text)
    document.require_faultless()
    # For mypy: a head that does not fit is a fault, and faults have raised.
    assert policy is not None  # noqa: S101
    return policy


def open_policy(untrusted_text: bytes, where: str) -> tuple[Document, Policy | None]:
    """The document with all its faults, and the policy where it has none.

    Never raises: for `policy check`.
    """
    document = open_document(untrusted_text, where)
    policy = None if document.broken else _policy(document, untrusted_text)
    return document, None if document.faults else policy


def _policy(document: Document, untrusted_text: bytes) -> Policy | None:
    """The policy of what is well-formed; None without a head. Every fault is noted."""
    head = document.check(PolicyTable, document.table)
    written = document.table.get("hotlist", {})
    limits = (
        document.check(HotlistTable, written, ("hotlist",)) if isinstance(written, dict) else None
    )
    releases = [_rule(table) for _, table in tables(document, "release", ReleaseTable)]
    recipients = [_recipient(table) for _, table in tables(document, "recipient", RecipientTable)]
    brokers = [_broker(table) for _, table in tables(document, "broker", BrokerTable)]
    sources = [_source(table) for _, table in tables(document, "bundle_source", BundleSourceTable)]
    barred = bars(document)
    _cross_check(document)
    return (
        _whole(
            head,
            limits or HotlistTable(),
            releases,
            recipients,
            (brokers, sources),
            barred,
            hashlib.sha256(untrusted_text).hexdigest(),
        )
        if head
        else None
    )


def _whole(
    head: PolicyTable,
    limits: HotlistTable,
    releases: list[ReleaseRule],
    recipients: list[Recipient],
    servers: tuple[list[Broker], list[Broker]],
    barred: tuple[Bar, ...],
    digest: str,
) -> Policy:
    return Policy(
        name=head.name,
        version=head.version,
        jurisdiction=head.jurisdiction,
        effective=head.effective,
        expires=head.expires,
        releases=tuple(releases),
        recipients={recipient.id: recipient for recipient in recipients},
        brokers=tuple(servers[0]),
        bundle_sources=tuple(servers[1]),
        digest=digest,
        barred=barred,
        hotlist=HotlistLimits(limits.max_age_hours, limits.additions_per_day),
    )


def _cross_check(document: Document) -> None:
    """What no single table can tell: names that must and must not repeat, and dates across tables.

    Works on the tables as written, so that these faults are told together with those of the schema.
    """
    listed = _ids(document, "recipient", "id")
    _ids(document, "release", "rule")
    _ids(document, "broker", "id")
    _ids(document, "bundle_source", "id")
    served = {
        name
        for path, table in raw(document, "broker")
        for _, name in names(path, table, "recipients")
    }
    for path, table in raw(document, "release"):
        _require_listed(document, path, table, "recipient", listed)
        for place, category in names(path, table, "categories"):
            if category == NEVER_RELEASE:
                document.fault(place, f'"{NEVER_RELEASE}" can never be released', "remove it")
    for path, table in raw(document, "broker"):
        _require_listed(document, path, table, "recipients", listed)
    for path, table in raw(document, "recipient"):
        for place, name in names(path, table, "id"):
            if name not in served:
                document.fault(
                    place,
                    f"no [[broker]] serves {_quoted(name)}",
                    "add it to a broker's recipients, or remove it here",
                )
    _cross_check_dates(document)


def _cross_check_dates(document: Document) -> None:
    effective, expires = document.table.get("effective"), document.table.get("expires")
    if type(effective) is not date:
        return
    if type(expires) is date and expires <= effective:
        document.fault(
            ("expires",),
            f"dates crossed: expires {expires}, effective {effective}",
            "expires must be later",
        )
    for path, table in raw(document, "recipient"):
        ends = table.get("expires")
        if type(ends) is date and ends <= effective:
            document.fault(
                (*path, "expires"),
                f"expires {ends}, before the policy takes effect on {effective}",
                "give a later date, or remove the recipient",
            )


def _ids(document: Document, name: str, key: str) -> set[str]:
    """All names of one kind of table; a repeated one is a fault."""
    counts: Counter[str] = Counter()
    for path, table in raw(document, name):
        value = table.get(key)
        if isinstance(value, str):
            counts[value] += 1
            if counts[value] > 1:
                document.fault(
                    (*path, key), f"{_quoted(value)} is there twice", "give each its own"
                )
    return set(counts)


def _require_listed(
    document: Document, path: Path, table: dict[str, Any], key: str, listed: set[str]
) -> None:
    for place, name in names(path, table, key):
        if name not in listed:
            document.fault(
                place,
                f"{_quoted(name)} is not a [[recipient]] of this policy",
                "list it, with its basis and key, or remove it here",
            )


def _quoted(untrusted_name: str) -> str:
    """ASCII, so that a look-alike letter shows."""
    return ascii(untrusted_name[:64])


def _recipient(table: RecipientTable) -> Recipient:
    return Recipient(
        table.id, table.legal_name, table.basis, table.expires, table.signing_key, table.kind
    )


def _rule(table: ReleaseTable) -> ReleaseRule:
    return ReleaseRule(
        rule=table.rule,
        categories=frozenset(table.categories),
        match=frozenset(MatchLevel(level) for level in table.match),
        min_confidence=table.min_confidence,
        max_per_hour=table.max_per_hour,
        recipient=table.recipient,
        purpose=table.purpose,
        retention_days=table.retention,
        include=frozenset(table.include),
        cameras=None if table.cameras is None else frozenset(table.cameras),
        max_false_leads=table.max_false_leads,
    )


def _source(table: BundleSourceTable) -> Broker:
    """A server that carries no reads: only its address, name and key count."""
    return Broker(
        table.id,
        table.host,
        tuple(table.addresses),
        table.ca,
        frozenset(table.spki_pins),
        frozenset(),
    )


def _broker(table: BrokerTable) -> Broker:
    return Broker(
        id=table.id,
        host=table.host,
        addresses=tuple(table.addresses),
        ca=table.ca,
        spki_pins=frozenset(table.spki_pins),
        recipients=frozenset(table.recipients),
        groups=frozenset(table.groups or ()),
    )
