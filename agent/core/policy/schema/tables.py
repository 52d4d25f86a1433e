"""The closed schemas of a policy's tables, and the [[barred]] that a charter has too
(docs/ref/policy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from agent.core.policy.barring import Bar
from agent.core.policy.schema.fields import (
    Address,
    CaFile,
    Day,
    HostName,
    HoursOfDay,
    Identifier,
    Jurisdiction,
    Kind,
    Line,
    Pin,
    Place,
    PublicKey,
    RetentionDays,
)
from agent.core.text.schema.notes import Between, Length
from agent.core.text.schema.section import Section, made

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.core.text.toml_document import Document, Path

MAX_TABLES = 256  # of one kind
Tables = Annotated[list[dict[str, Any]], Length(max_length=MAX_TABLES)]
Identifiers = Annotated[list[Identifier], Length(min_length=1, max_length=64)]
Cameras = Annotated[list[Identifier], Length(min_length=1, max_length=1000)]


class ReleaseTable(Section):
    """[[release]]"""

    rule: Identifier
    categories: Identifiers
    match: Annotated[
        list[Literal["exact", "text", "confusable"]], Length(min_length=1, max_length=3)
    ]
    min_confidence: Annotated[float, Between(ge=0, le=1)]
    max_per_hour: Annotated[int, Between(ge=1, le=1000)]
    recipient: Identifier
    purpose: Identifier
    retention: RetentionDays
    include: Annotated[
        list[Literal["plate", "crop", "captured_at", "camera"]], Length(min_length=1, max_length=4)
    ]
    cameras: Cameras | None = None
    max_false_leads: Annotated[int, Between(ge=1, le=1000)] | None = None


class RecipientTable(Section):
    """[[recipient]]"""

    id: Identifier
    legal_name: Line
    basis: Line
    expires: Day
    signing_key: PublicKey
    kind: Kind = ""


class BrokerTable(Section):
    """[[broker]]"""

    id: Identifier
    host: HostName
    addresses: Annotated[list[Address], Length(min_length=1, max_length=16)]
    ca: CaFile
    spki_pins: Annotated[list[Pin], Length(min_length=1, max_length=16)]
    recipients: Identifiers
    groups: Identifiers | None = None


class BundleSourceTable(Section):
    """[[bundle_source]]"""

    id: Identifier
    host: HostName
    addresses: Annotated[list[Address], Length(min_length=1, max_length=16)]
    ca: CaFile
    spki_pins: Annotated[list[Pin], Length(min_length=1, max_length=16)]


class BarredTable(Section):
    """[[barred]], in a charter or a policy."""

    cameras: Cameras | None = None
    places: Annotated[list[Place], Length(min_length=1, max_length=32)] | None = None
    hours: Annotated[list[HoursOfDay], Length(min_length=1, max_length=24)] | None = None
    why: Line


class HotlistTable(Section):
    """[hotlist]"""

    max_age_hours: Annotated[int, Between(ge=1, le=168)] = 24
    additions_per_day: Annotated[int, Between(ge=0, le=1000)] = 0


class PolicyTable(Section):
    """The whole file; the tables in it are checked one by one, so that one fault does not hide the
    others.
    """

    name: Line
    version: Annotated[int, Between(ge=1, le=2**31)]
    jurisdiction: Jurisdiction
    effective: Day
    expires: Day
    hotlist: dict[str, Any] = made(default_factory=dict)
    release: Tables = made(default_factory=list)
    recipient: Tables = made(default_factory=list)
    broker: Tables = made(default_factory=list)
    bundle_source: Annotated[list[dict[str, Any]], Length(max_length=8)] = made(
        default_factory=list
    )
    barred: Tables = made(default_factory=list)


def tables(document: Document, name: str, section: type[Any]) -> Iterator[tuple[Path, Any]]:
    """The well-formed tables of one kind; the faults of the others are noted."""
    for path, table in raw(document, name):
        checked = document.check(section, table, path)
        if checked is not None:
            yield path, checked


def raw(
    document: Document, name: str, most: int = MAX_TABLES
) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Tables as written; whatever is not a table is the whole file's fault to tell."""
    listed = document.table.get(name, [])
    for index, table in enumerate(listed[:most] if isinstance(listed, list) else []):
        if isinstance(table, dict):
            yield (name, index), table


def names(path: Path, table: dict[str, Any], key: str) -> Iterator[tuple[Path, str]]:
    """The strings under one key, be it a string or a list of them, each with its place."""
    value = table.get(key)
    if isinstance(value, str):
        yield (*path, key), value
    elif isinstance(value, list):
        yield from (
            ((*path, key, index), item) for index, item in enumerate(value) if isinstance(item, str)
        )


def bars(document: Document) -> tuple[Bar, ...]:
    """The well-formed [[barred]] of a file; faults are noted."""
    found: list[Bar] = []
    for path, table in tables(document, "barred", BarredTable):
        if table.cameras is None and table.places is None and table.hours is None:
            document.fault(path, "bars nothing", "name cameras, places or hours")
        cameras = frozenset(table.cameras or ()) if table.cameras or table.places else None
        found.append(
            Bar(
                cameras,
                frozenset(table.places or ()),
                tuple(table.hours or ()),
                table.why,
                document.where,
                document.line(path),
            )
        )
    return tuple(found)
