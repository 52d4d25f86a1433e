"""A jurisdiction's profile: what its law is said to allow, fact by fact, each with its source and
how sure that is (docs/ref/jurisdictions.md).

Facts, not advice. A fact that a policy file can break carries the limit as a key; every other fact
is for people to read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from agent.core.policy.schema.fields import Day, Identifier, Jurisdiction, Kind, Line, Place, Road
from agent.core.policy.schema.tables import tables
from agent.core.text.schema.notes import Between, By, Length
from agent.core.text.schema.section import Section, made
from agent.core.text.toml_document import Document, open_document
from agent.values import dataclass

if TYPE_CHECKING:
    from datetime import date


MAX_SENTENCE = 600


def sentence(value: object) -> str:
    """A sentence or a few: one printable line."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_SENTENCE or not value.isprintable():
        raise ValueError(f"must be one line of printable text | at most {MAX_SENTENCE} characters")
    return value


Sentence = Annotated[str, By(sentence)]
Kinds = Annotated[list[Kind], Length(max_length=16)]
Identifiers = Annotated[list[Identifier], Length(max_length=64)]


class FactTable(Section):
    """[[fact]]. From `max_retention_days` on: what a policy can break; most facts have none."""

    id: Identifier
    topic: Literal[
        "retention",
        "recipients",
        "purposes",
        "places",
        "cameras",
        "logs",
        "reports",
        "lists",
        "matches",
        "contracts",
        "operators",
        "approval",
        "signage",
        "local",
    ]
    says: Sentence
    citation: Sentence
    read: Day
    confidence: Literal["A", "B", "M"]
    confirmed: bool
    sources: Annotated[list[Sentence], Length(max_length=16)]
    max_retention_days: Annotated[int, Between(ge=0, le=3650)] | None = None
    forbidden_kinds: Kinds = made(default_factory=list)
    conditional_kinds: Kinds = made(default_factory=list)
    forbidden_purposes: Identifiers = made(default_factory=list)
    permitted_purposes: Identifiers = made(default_factory=list)
    fixed_cameras: Literal["forbidden", "permit"] | None = None
    protected_places: Annotated[list[Place], Length(max_length=32)] = made(default_factory=list)
    max_hotlist_age_hours: Annotated[int, Between(ge=1, le=168)] | None = None
    roads: Annotated[list[Road], Length(max_length=4)] = made(default_factory=list)
    before_use: Literal["approval", "registration"] | None = None
    local: Line | None = None
    since: Day | None = None
    until: Day | None = None


class ProfileTable(Section):
    """The whole file. `looked`: the day on which no statute was found, where `use` is "none"."""

    id: Jurisdiction
    name: Line
    use: Literal["check", "data", "none"]
    thin: Sentence = ""
    looked: Day | None = None
    counsel_confirmed: bool
    fact: Annotated[list[dict[str, Any]], Length(min_length=1, max_length=64)]


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact.

    `read`: the day on which it was taken from its sources; `confirmed`: the statute's text or a
    primary page was read for it.

    `line`: of its id in the profile. `conditional_kinds`: recipients that need something outside
    the policy, such as a written declaration. `roads`: where its limit on cameras holds; empty:
    everywhere. `before_use`: what must be had before a camera runs. `local`: the body below the
    state whose law it is, empty for the state's. `since`, `until`: the first and the last day on
    which it is law.
    """

    id: str
    topic: str
    says: str
    citation: str
    read: date
    confidence: str
    confirmed: bool
    sources: tuple[str, ...]
    line: int
    max_retention_days: int | None
    forbidden_kinds: frozenset[str]
    conditional_kinds: frozenset[str]
    forbidden_purposes: frozenset[str]
    permitted_purposes: frozenset[str]
    fixed_cameras: str | None
    protected_places: frozenset[str]
    max_hotlist_age_hours: int | None
    roads: frozenset[str]
    before_use: str | None
    local: str
    since: date | None
    until: date | None

    def law_on(self, day: date) -> bool:
        """Is it law on that day, as far as its dates tell?"""
        return (self.since is None or self.since <= day) and (
            self.until is None or day <= self.until
        )

    @property
    def checkable(self) -> bool:
        """Can a policy file break it?"""
        limits = (
            self.forbidden_kinds,
            self.conditional_kinds,
            self.forbidden_purposes,
            self.permitted_purposes,
            self.fixed_cameras,
            self.protected_places,
            self.before_use,
        )
        return (
            any(limits)
            or self.max_retention_days is not None
            or self.max_hotlist_age_hours is not None
        )


@dataclass(frozen=True, slots=True)
class Profile:
    """A jurisdiction's facts.

    `use`: "check"; "data" where they are too `thin` to hold a policy against; "none" where no
    statute was found on the day `looked`, which is no permission. `where`: the file's name.
    """

    id: str
    name: str
    use: str
    thin: str
    counsel_confirmed: bool
    facts: tuple[Fact, ...]
    where: str
    looked: date | None = None

    @property
    def max_retention_days(self) -> int | None:
        """The shortest of all caps; None where no number is known."""
        return min(
            (fact.max_retention_days for fact in self.facts if fact.max_retention_days is not None),
            default=None,
        )

    def gathered(self, name: str) -> tuple[str, ...]:
        """All names under one key of all facts, sorted, each once."""
        return tuple(sorted({item for fact in self.facts for item in getattr(fact, name)}))

    def forbids_fixed_cameras(self) -> Fact | None:
        """The fact because of which this software has no place there; None where there is none, or
        where it is about some roads only.
        """
        return next(
            (
                fact
                for fact in self.facts
                if fact.fixed_cameras == "forbidden" and not fact.roads and not fact.local
            ),
            None,
        )

    def not_held(self) -> str:
        """Why a policy is held against nothing here, in words; empty where it is held."""
        if self.use == "none":
            return f"no statute found, looked on {self.looked}"
        return self.thin if self.use == "data" else ""


def parse_profile(untrusted_text: bytes, where: str) -> Profile:
    """The profile in a file's bytes. Raises ConfigError listing all faults."""
    document, profile = open_profile(untrusted_text, where)
    document.require_faultless()
    # For mypy: a head that does not fit is a fault, and faults have raised.
    assert profile is not None  # noqa: S101
    return profile


def open_profile(untrusted_text: bytes, where: str) -> tuple[Document, Profile | None]:
    """The document with all its faults, and the profile where it has none."""
    document = open_document(untrusted_text, where)
    head = None if document.broken else document.check(ProfileTable, document.table)
    facts = [_fact(document, path, table) for path, table in tables(document, "fact", FactTable)]
    if head is not None and head.use == "data" and not head.thin:
        document.fault(("use",), "does not say what is too thin", "say it in `thin`")
    if head is not None and (head.use == "none") is (head.looked is None):
        document.fault(
            ("use",),
            "no statute was found on no day, or one was found after all",
            'write `looked`, the day of the search, with use = "none", and only there',
        )
    if head is None or document.faults:
        return document, None
    return document, Profile(
        head.id,
        head.name,
        head.use,
        head.thin,
        head.counsel_confirmed,
        tuple(facts),
        where,
        head.looked,
    )


def _fact(document: Document, path: tuple[str | int, ...], table: FactTable) -> Fact:
    if table.confirmed and table.confidence != "A":
        document.fault(
            (*path, "confirmed"),
            "only what was read in the statute or on a primary page (A) is confirmed",
            "write false",
        )
    return Fact(
        id=table.id,
        topic=table.topic,
        says=table.says,
        citation=table.citation,
        read=table.read,
        confidence=table.confidence,
        confirmed=table.confirmed,
        sources=tuple(table.sources),
        line=document.line((*path, "id")),
        max_retention_days=table.max_retention_days,
        forbidden_kinds=frozenset(table.forbidden_kinds),
        conditional_kinds=frozenset(table.conditional_kinds),
        forbidden_purposes=frozenset(table.forbidden_purposes),
        permitted_purposes=frozenset(table.permitted_purposes),
        fixed_cameras=table.fixed_cameras,
        protected_places=frozenset(table.protected_places),
        max_hotlist_age_hours=table.max_hotlist_age_hours,
        roads=frozenset(table.roads),
        before_use=table.before_use,
        local=table.local or "",
        since=table.since,
        until=table.until,
    )
