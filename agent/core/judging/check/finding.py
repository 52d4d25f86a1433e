"""What `policy check` finds: a fault or a note, with its place, its reason code, why, on whose
word, and the next step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from agent.core.reasons import Reason
from agent.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.core.text.toml_document import Document, Path


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing at one place.

    `line`, `column`: from 1, 0 where the file as a whole is meant. `source`: who says so. Never a
    key, a pin or a plate.

    `confirmed`: False where the fact it rests on is second-hand (docs/ref/jurisdictions.md).
    `note`: to be read, no fault.
    """

    where: str
    line: int
    column: int
    field: str
    what: str
    code: str
    why: str
    source: str
    fix: str
    confirmed: bool = True
    note: bool = False

    @property
    def place(self) -> str:
        """`policy.toml:29:13`"""
        return f"{self.where}:{self.line}:{self.column}" if self.line else self.where


@dataclass(frozen=True, slots=True)
class Because:
    """The part of a finding that does not depend on the place."""

    code: Reason | Literal[""]  # "": a mere note
    why: str
    source: str
    confirmed: bool = True
    note: bool = False


def at(document: Document, path: Path, what: str, fix: str, because: Because) -> Finding:
    """A finding at a value, or at the nearest table around it where it is missing."""
    line, column = document.place(path)
    field = ".".join(part for part in path if isinstance(part, str))
    return Finding(
        document.where,
        line,
        column,
        field,
        what,
        because.code,
        because.why,
        because.source,
        fix,
        because.confirmed,
        because.note,
    )


def malformed(document: Document) -> Iterable[Finding]:
    """The schema's own faults of a file, each with the reason for the rule that it breaks."""
    for fault in document.faults:
        why = _WHY_BY_WHAT.get(fault.what) or _why(fault.field) or _ANY
        yield Finding(
            document.where,
            fault.line,
            fault.column,
            fault.field or "file",
            fault.what,
            Reason.MALFORMED,
            why,
            _section(fault.field),
            fault.fix,
        )


def _why(field: str) -> str:
    """The reason for the field's rule; of its table where it has none of its own."""
    table = field.partition(".")[0]
    return _WHY.get(field) or _WHY.get(table, "")


def _section(field: str) -> str:
    table = field.partition(".")[0]
    return f"docs/ref/policy.md, {_SECTIONS.get(table, table)}" if field else "docs/ref/policy.md"


_SECTIONS = {
    "release": "[[release]]",
    "recipient": "[[recipient]]",
    "broker": "[[broker]]",
    "bundle_source": "[[bundle_source]]",
    "barred": "[[barred]]",
    "camera": "[[camera]]",
    "hotlist": "[hotlist]",
}
_ANY = (
    "A file that is right in part could release what nobody decided: one fault refuses the whole."
)
_WHY_BY_WHAT = {
    "unknown key": (
        "The schema is closed: a key that nobody knows could be a limit that somebody believes in."
    ),
    "missing": "A limit that was forgotten is not a limit that was lifted.",
    "bars nothing": (
        "A bar without cameras, places or hours would look like protection and be none."
    ),
}
_WHY = {
    "name": "It rides readable on every sealed read, and names the policy in every log.",
    "version": (
        "Each change has a higher number, so that cameras and reports can tell which came later."
    ),
    "jurisdiction": "It says whose law the policy is held against.",
    "effective": (
        "Outside its dates a policy releases nothing: "
        "with dates crossed it never would, or nobody could say since when."
    ),
    "expires": (
        "Every permission ends on a day that stands in the file; "
        "with dates crossed it never begins."
    ),
    "hotlist": (
        "An old list shows a car as stolen that was recovered; "
        "an entry by hand has nobody else's check."
    ),
    "release": (
        "What no rule names never leaves the camera, so each rule must say exactly what does."
    ),
    "release.rule": (
        "Logs, budgets and reports name the rule: two of one name could not be told apart."
    ),
    "release.categories": (
        "Only what a rule names is asked for; "
        "the never-release list protects people and beats every rule."
    ),
    "release.match": (
        "A look-alike is a weaker lead than the text itself: a rule says which it lets out."
    ),
    "release.min_confidence": "It is the probability that the whole plate was read right.",
    "release.max_per_hour": "A budget bounds what a mistake can let out.",
    "release.max_false_leads": "A rule that errs too often must stop without waiting for anybody.",
    "release.recipient": (
        "There are no wildcards: "
        "a read goes to one recipient that is listed with its legal name, basis and end."
    ),
    "release.purpose": "It rides authenticated on the read, and is compared with charter and law.",
    "release.retention": (
        "A read is sealed to the key of a whole UTC day; "
        "under two days there may be none to seal to."
    ),
    "release.include": "What is not named is not in the sealed read.",
    "release.cameras": "A rule speaks only of cameras that the roster lists.",
    "recipient": "Who may receive is named one by one, with basis, end and key.",
    "recipient.id": (
        "It stands in tags, topics and logs; "
        "a recipient that no broker serves would be a promise to nobody."
    ),
    "recipient.kind": "Charters and laws forbid kinds of recipients.",
    "recipient.expires": (
        "An agreement ends on its day: before the policy begins it permits nothing."
    ),
    "recipient.signing_key": "It signs receipts and key lists; a weak one lets anyone sign.",
    "broker": "A camera connects to no address that the policy does not list.",
    "broker.addresses": (
        "A camera resolves no names: whoever answers for DNS could otherwise send reads elsewhere."
    ),
    "broker.spki_pins": (
        "The pin is what proves that the server is the city's, "
        "whatever a certificate authority signs."
    ),
    "broker.recipients": "A broker carries reads only of recipients that the policy lists.",
    "broker.groups": "A camera reaches no broker of another group than its own.",
    "bundle_source": (
        "Cameras fetch their bundles from no address that the policy in force does not list."
    ),
    "bundle_source.addresses": (
        "A camera resolves no names: "
        "whoever answers for DNS could otherwise keep newer bundles away."
    ),
    "bundle_source.spki_pins": (
        "The pin is what proves that the server is the city's, "
        "whatever a certificate authority signs."
    ),
    "barred": "Where and when nothing is released must be beyond doubt.",
    "camera": "The roster says which cameras there are, and what is near them; bars rest on it.",
    "forbidden_recipients": "The council's list is compared letter by letter.",
    "max_retention": "The longest time that the council allows.",
}
