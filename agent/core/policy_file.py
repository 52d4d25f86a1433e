"""Parses a policy's TOML into core.policy values: closed schema, default deny, no wildcards; tells every fault at once (docs/ref/policy.md)."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from agent.core.policy import NEVER_RELEASE, Broker, MatchLevel, Policy, Recipient, ReleaseRule
from agent.core.policy_fields import (
    Address,
    CaFile,
    Day,
    HostName,
    Identifier,
    Jurisdiction,
    Line,
    Pin,
    PublicKey,
    RetentionDays,
)
from agent.core.toml_document import Document, Path, Section, read_document

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_TABLES = 256  # of one kind
Tables = Annotated[list[dict[str, Any]], Field(max_length=MAX_TABLES)]
Identifiers = Annotated[list[Identifier], Field(min_length=1, max_length=64)]


class ReleaseTable(Section):
    """[[release]]"""

    rule: Identifier
    categories: Identifiers
    match: Annotated[list[Literal["exact", "text", "confusable"]], Field(min_length=1, max_length=3)]
    min_confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
    max_per_hour: Annotated[int, Field(ge=1, le=1000)]
    recipient: Identifier
    purpose: Identifier
    retention: RetentionDays
    include: Annotated[list[Literal["plate", "crop", "captured_at", "camera"]], Field(min_length=1, max_length=4)]


class RecipientTable(Section):
    """[[recipient]]"""

    id: Identifier
    legal_name: Line
    basis: Line
    expires: Day
    signing_key: PublicKey


class BrokerTable(Section):
    """[[broker]]"""

    id: Identifier
    host: HostName
    addresses: Annotated[list[Address], Field(min_length=1, max_length=16)]
    ca: CaFile
    spki_pins: Annotated[list[Pin], Field(min_length=1, max_length=16)]
    recipients: Identifiers


class PolicyTable(Section):
    """The whole file; the tables in it are checked one by one, so that one fault does not hide the others."""

    name: Line
    version: Annotated[int, Field(ge=1, le=2**31)]
    jurisdiction: Jurisdiction
    effective: Day
    expires: Day
    release: Tables = Field(default_factory=list)
    recipient: Tables = Field(default_factory=list)
    broker: Tables = Field(default_factory=list)


def parse_policy(untrusted_text: bytes, where: str) -> Policy:
    """The policy in a file's bytes. Raises ConfigError listing all faults; `where` is the file's name in them.

    Says nothing of dates that have passed (core.policy.require_in_force) or of the charter (core.charter.require).
    """
    document = read_document(untrusted_text, where)
    head = document.check(PolicyTable, document.table)
    releases = list(_tables(document, "release", ReleaseTable))
    recipients = list(_tables(document, "recipient", RecipientTable))
    brokers = list(_tables(document, "broker", BrokerTable))
    _cross_check(document)
    document.require_faultless()
    assert head is not None  # noqa: S101 (for mypy: a table that does not fit is a fault, and faults have raised)
    return Policy(
        name=head.name,
        version=head.version,
        jurisdiction=head.jurisdiction,
        effective=head.effective,
        expires=head.expires,
        releases=tuple(_rule(table) for table in releases),
        recipients={table.id: Recipient(table.id, table.legal_name, table.basis, table.expires, table.signing_key) for table in recipients},
        brokers=tuple(_broker(table) for table in brokers),
        digest=hashlib.sha256(untrusted_text).hexdigest(),
    )


def _tables(document: Document, name: str, section: type[Any]) -> Iterator[Any]:
    """The well-formed tables of one kind; the faults of the others are noted."""
    for path, table in _raw(document, name):
        checked = document.check(section, table, path)
        if checked is not None:
            yield checked


def _raw(document: Document, name: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Tables as written; whatever is not a table is PolicyTable's fault to tell."""
    listed = document.table.get(name, [])
    for index, table in enumerate(listed[:MAX_TABLES] if isinstance(listed, list) else []):
        if isinstance(table, dict):
            yield (name, index), table


def _names(path: Path, table: dict[str, Any], key: str) -> Iterator[tuple[Path, str]]:
    """The strings under one key, be it a string or a list of them, each with its place."""
    value = table.get(key)
    if isinstance(value, str):
        yield (*path, key), value
    elif isinstance(value, list):
        yield from (((*path, key, index), item) for index, item in enumerate(value) if isinstance(item, str))


def _cross_check(document: Document) -> None:
    """What no single table can tell: names that must and must not repeat, and dates across tables.

    Works on the tables as written, so that these faults are told together with those of the schema.
    """
    listed = _ids(document, "recipient", "id")
    _ids(document, "release", "rule")
    _ids(document, "broker", "id")
    served = {name for path, table in _raw(document, "broker") for _, name in _names(path, table, "recipients")}
    for path, table in _raw(document, "release"):
        _require_listed(document, path, table, "recipient", listed)
        for place, category in _names(path, table, "categories"):
            if category == NEVER_RELEASE:
                document.fault(place, f'"{NEVER_RELEASE}" can never be released', "remove it")
    for path, table in _raw(document, "broker"):
        _require_listed(document, path, table, "recipients", listed)
    for path, table in _raw(document, "recipient"):
        for place, name in _names(path, table, "id"):
            if name not in served:
                document.fault(place, f"no [[broker]] serves {_quoted(name)}", "add it to a broker's recipients, or remove it here")
    _cross_check_dates(document)


def _cross_check_dates(document: Document) -> None:
    effective, expires = document.table.get("effective"), document.table.get("expires")
    if type(effective) is not date:
        return
    if type(expires) is date and expires <= effective:
        document.fault(("expires",), f"dates crossed: expires {expires}, effective {effective}", "expires must be later")
    for path, table in _raw(document, "recipient"):
        ends = table.get("expires")
        if type(ends) is date and ends <= effective:
            document.fault((*path, "expires"), f"expires {ends}, before the policy takes effect on {effective}", "give a later date, or remove the recipient")


def _ids(document: Document, name: str, key: str) -> set[str]:
    """All names of one kind of table; a repeated one is a fault."""
    counts: Counter[str] = Counter()
    for path, table in _raw(document, name):
        value = table.get(key)
        if isinstance(value, str):
            counts[value] += 1
            if counts[value] > 1:
                document.fault((*path, key), f"{_quoted(value)} is there twice", "give each its own")
    return set(counts)


def _require_listed(document: Document, path: Path, table: dict[str, Any], key: str, listed: set[str]) -> None:
    for place, name in _names(path, table, key):
        if name not in listed:
            document.fault(place, f"{_quoted(name)} is not a [[recipient]] of this policy", "list it, with its basis and key, or remove it here")


def _quoted(untrusted_name: str) -> str:
    """ASCII, so that a look-alike letter shows."""
    return ascii(untrusted_name[:64])


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
    )


def _broker(table: BrokerTable) -> Broker:
    return Broker(
        id=table.id,
        host=table.host,
        addresses=tuple(table.addresses),
        ca=table.ca,
        spki_pins=frozenset(table.spki_pins),
        recipients=frozenset(table.recipients),
    )
