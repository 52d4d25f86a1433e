"""The charter, which stands above the policy: what no policy may do, set by the council; and the
check of a policy against it.

Identifiers are compared, nothing else: a policy that lists a forbidden agency under another id
passes here. The legal name, the diff and the public report are where people see that
(docs/ref/policy.md).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Any

from agent.core.policy.schema.fields import Domain, Identifier, Kind, Line, RetentionDays
from agent.core.policy.schema.hold_limits import hold_limits
from agent.core.policy.schema.hotlist_rules import HotlistRules, hotlist_rules
from agent.core.policy.schema.reading_rules import ReadingRules, reading_rules
from agent.core.policy.schema.software_rules import SoftwareRules, software_rules
from agent.core.policy.schema.tables import Tables, bars
from agent.core.policy.schema.witness_rules import WitnessRules, witness_rules
from agent.core.reasons import Reason
from agent.core.text.schema.notes import Length
from agent.core.text.schema.section import Section, made
from agent.core.text.suggestion import nearest
from agent.core.text.toml_document import Document, open_document, read_document
from agent.errors import PolicyRefusedError
from agent.values import dataclass, field, replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.core.policy.barring import Bar
    from agent.core.policy.policy import Policy, Recipient, ReleaseRule
    from agent.core.wire.holds.hold_rules import HoldRules

Identifiers = Annotated[list[Identifier], Length(max_length=1000)]
Kinds = Annotated[list[Kind], Length(max_length=32)]


class CharterTable(Section):
    """The whole file.

    The first five keys are required: a limit that was forgotten is not a limit that was lifted.
    """

    name: Line
    forbidden_recipients: Identifiers
    forbidden_purposes: Identifiers
    allowed_categories: Identifiers
    max_retention: RetentionDays
    forbidden_kinds: Kinds = made(default_factory=list)
    allowed_recipients: Identifiers | None = None
    allowed_kinds: Kinds | None = None
    allowed_purposes: Identifiers | None = None
    barred: Tables = made(default_factory=list)
    complaints: Line = ""
    domain: Domain = ""
    hotlist: dict[str, Any] = made(default_factory=dict)
    hotlist_signer: Tables = made(default_factory=list)
    holds: dict[str, Any] = made(default_factory=dict)
    hold_signer: Tables = made(default_factory=list)
    witnesses: dict[str, Any] = made(default_factory=dict)
    software: dict[str, Any] = made(default_factory=dict)
    reading: dict[str, Any] = made(default_factory=dict)


NEARER = 0.85  # of a doubt that nobody asked for: more alike than a suggestion needs to be


@dataclass(frozen=True, slots=True)
class CharterFault:
    """One thing in a policy that the charter forbids.

    `line`: of the sentence in the charter, whose file is `where`.
    """

    reason: Reason
    what: str
    where: str
    line: int

    def __str__(self) -> str:
        return f"{self.what} ({self.where}:{self.line})"


@dataclass(frozen=True, slots=True)
class Charter:
    """A charter as parsed.

    `lines`: where each key, and each name under it, stands in the file `where`; `digest`: hex
    SHA-256 of its bytes; `complaints`: whom people write to, in words, for the public page only;
    `domain`: the city's, by which logs are named, or "";
    `holds`: who may order that reads are held, None where nobody may;
    `allowed_…`: None where there is no such list, and then it limits nothing.
    """

    name: str
    forbidden_recipients: frozenset[str]
    forbidden_purposes: frozenset[str]
    allowed_categories: frozenset[str]
    max_retention_days: int
    digest: str
    where: str
    lines: Mapping[tuple[str, str], int]
    forbidden_kinds: frozenset[str] = frozenset()
    barred: tuple[Bar, ...] = ()
    complaints: str = ""
    domain: str = ""
    hotlist: HotlistRules = field(default_factory=HotlistRules)
    witnesses: WitnessRules | None = None
    software: SoftwareRules | None = None
    holds: HoldRules | None = None
    reading: ReadingRules | None = None
    allowed_recipients: frozenset[str] | None = None
    allowed_kinds: frozenset[str] | None = None
    allowed_purposes: frozenset[str] | None = None

    def line(self, key: str, name: str = "") -> int:
        """The line that names `name` under `key`; the key's own line where it does not."""
        return self.lines.get((key, name)) or self.lines.get((key, ""), 1)

    def forbids_recipient(self, recipient: str) -> CharterFault | None:
        """The sentence that forbids this recipient, or does not allow it; None where there is
        none.
        """
        code, named = Reason.CHARTER_FORBIDS_RECIPIENT, f'recipient "{recipient}"'
        if recipient in self.forbidden_recipients:
            return self._fault(code, f"{named} is forbidden", "forbidden_recipients", recipient)
        if self.allowed_recipients is not None and recipient not in self.allowed_recipients:
            near = neighbour(recipient, self.forbidden_recipients)
            return self._fault(code, f"{named} is not allowed{near}", "allowed_recipients")
        return None

    def forbids_kind(self, recipient: Recipient) -> CharterFault | None:
        """The sentence that forbids recipients of this one's kind, or does not allow it; one that
        does not tell its kind is forbidden where kinds are limited at all.
        """
        code, kind = Reason.CHARTER_FORBIDS_KIND, recipient.kind
        told = f"is a {kind}" if kind else "does not tell its kind"
        named = f'recipient "{recipient.id}" {told}'
        if self.forbidden_kinds and (not kind or kind in self.forbidden_kinds):
            return self._fault(code, f"{named}, and kinds are forbidden", "forbidden_kinds", kind)
        if self.allowed_kinds is not None and kind not in self.allowed_kinds:
            return self._fault(code, f"{named}, which is not allowed", "allowed_kinds")
        return None

    def forbids_purpose(self, purpose: str) -> CharterFault | None:
        """The sentence that forbids this purpose, or does not allow it."""
        code, named = Reason.CHARTER_FORBIDS_PURPOSE, f'purpose "{purpose}"'
        if purpose in self.forbidden_purposes:
            return self._fault(code, f"{named} is forbidden", "forbidden_purposes", purpose)
        if self.allowed_purposes is not None and purpose not in self.allowed_purposes:
            near = neighbour(purpose, self.forbidden_purposes)
            return self._fault(code, f"{named} is not allowed{near}", "allowed_purposes")
        return None

    def nearly_forbidden(self, purpose: str) -> str | None:
        """The forbidden purpose that this one, which nothing forbids, is nearly spelled as; None
        where there is none, or where the council's own list allows it.
        """
        if self.allowed_purposes is not None or purpose in self.forbidden_purposes:
            return None
        return nearest(purpose, self.forbidden_purposes, NEARER)

    def forbids_rule(self, rule: ReleaseRule) -> Iterator[CharterFault]:
        """Everything in one rule that the charter forbids."""
        named = f'release "{rule.rule}"'
        forbidden = self.forbids_recipient(rule.recipient)
        if forbidden is not None:
            yield forbidden
        purpose = self.forbids_purpose(rule.purpose)
        if purpose is not None:
            yield replace(purpose, what=f"{named}: {purpose.what}")
        for category in sorted(rule.categories - self.allowed_categories):
            yield self._fault(
                Reason.CHARTER_FORBIDS_CATEGORY,
                f'{named}: category "{category}" is not allowed',
                "allowed_categories",
            )
        if rule.retention_days > self.max_retention_days:
            what = (
                f"{named}: "
                f"retention {rule.retention_days}d is longer than {self.max_retention_days}d"
            )
            yield self._fault(Reason.CHARTER_RETENTION, what, "max_retention")

    def check(self, policy: Policy) -> tuple[CharterFault, ...]:
        """Everything in the policy that this charter forbids, recipients first; a mere listing is a
        fault, a release or a broker is not needed.
        """
        named = [
            *policy.recipients,
            *(rule.recipient for rule in policy.releases),
            *(name for broker in policy.brokers for name in sorted(broker.recipients)),
        ]
        recipients = [
            fault for name in named if (fault := self.forbids_recipient(name)) is not None
        ]
        kinds = [
            fault
            for recipient in policy.recipients.values()
            if (fault := self.forbids_kind(recipient)) is not None
        ]
        rules = [fault for rule in policy.releases for fault in self.forbids_rule(rule)]
        return tuple(dict.fromkeys([*recipients, *kinds, *rules, *self.forbids_lists(policy)]))

    def forbids_lists(self, policy: Policy) -> Iterator[CharterFault]:
        """The sentence above which the policy permits additions by hand."""
        asked, most = policy.hotlist.additions_per_day, self.hotlist.additions_per_day
        if asked > most:
            what = f"{asked} additions by hand a day are more than {most}"
            yield self._fault(Reason.CHARTER_HOTLIST_LIMIT, what, "hotlist", "additions_per_day")

    def _fault(self, reason: Reason, what: str, key: str, name: str = "") -> CharterFault:
        return CharterFault(reason, what, self.where, self.line(key, name))


def neighbour(name: str, forbidden: frozenset[str]) -> str:
    """A clause that tells which forbidden name is nearly this one; empty where none is.

    Mitigates against: a letter left out, by mistake or not, of what nobody may do.
    """
    near = nearest(name, forbidden)
    return f'; it is near "{near}", which is forbidden' if near else ""


def parse_charter(untrusted_text: bytes, where: str) -> Charter:
    """The charter in a file's bytes.

    Raises ConfigError listing all faults; `where` is the file's name in them.
    """
    document = read_document(untrusted_text, where)
    charter = _charter(document, untrusted_text)
    document.require_faultless()
    # For mypy: a table that does not fit is a fault, and faults have raised.
    assert charter is not None  # noqa: S101
    return charter


def open_charter(untrusted_text: bytes, where: str) -> tuple[Document, Charter | None]:
    """The document with all its faults, and the charter where it has none.

    Never raises: for `policy check`.
    """
    document = open_document(untrusted_text, where)
    charter = None if document.broken else _charter(document, untrusted_text)
    return document, None if document.faults else charter


def _charter(document: Document, untrusted_text: bytes) -> Charter | None:
    table = document.check(CharterTable, document.table)
    barred, rules, witnesses = bars(document), hotlist_rules(document), witness_rules(document)
    software, reading = software_rules(document), reading_rules(document)
    holds = hold_limits(document)
    if table is None:
        return None
    lines = {(key, ""): document.line((key,)) for key in CharterTable.own_fields()}
    lines["hotlist", "additions_per_day"] = document.line(("hotlist", "additions_per_day"))
    for key in ("forbidden_recipients", "forbidden_purposes", "forbidden_kinds"):
        lines |= {
            (key, name): document.line((key, index))
            for index, name in enumerate(getattr(table, key))
        }
    return Charter(
        name=table.name,
        forbidden_recipients=frozenset(table.forbidden_recipients),
        forbidden_purposes=frozenset(table.forbidden_purposes),
        allowed_categories=frozenset(table.allowed_categories),
        max_retention_days=table.max_retention,
        digest=hashlib.sha256(untrusted_text).hexdigest(),
        where=document.where,
        lines=lines,
        forbidden_kinds=frozenset(table.forbidden_kinds),
        barred=barred,
        complaints=table.complaints,
        domain=table.domain,
        hotlist=rules,
        witnesses=witnesses,
        software=software,
        holds=holds,
        reading=reading,
        allowed_recipients=_listed(table.allowed_recipients),
        allowed_kinds=_listed(table.allowed_kinds),
        allowed_purposes=_listed(table.allowed_purposes),
    )


def _listed(names: list[str] | None) -> frozenset[str] | None:
    return None if names is None else frozenset(names)


def require(policy: Policy, charter: Charter) -> None:
    """Refuse a policy that breaks the charter: names everything, with the first fault's reason.

    Raises PolicyRefusedError.
    """
    faults = charter.check(policy)
    if faults:
        told = "; ".join(str(fault) for fault in faults)
        raise PolicyRefusedError(
            faults[0].reason,
            f"the charter does not permit policy {policy.name!r} version {policy.version}: {told}",
            fix="change the policy, or ask the council",
        )
