"""What a charter says of hot lists: whose signatures an entry by hand needs, the form of a case
number, and the limits above which a camera refuses a list (docs/ref/policy.md).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from agent.core.policy.schema.fields import WEAK_KEYS
from agent.core.policy.schema.tables import tables
from agent.core.text.schema.notes import Between, By, Length
from agent.core.text.schema.section import Section, made
from agent.values import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.core.text.toml_document import Document

MOST_ENTRIES, MOST_ADDITIONS, MOST_ALIKE, LONGEST_DAYS = 4_000_000, 1_000, 1_000, 30
HANDS = 2


def _matching(pattern: str, what: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise ValueError(what)
        return value

    return check


_name = _matching(
    r"[A-Za-z0-9][A-Za-z0-9 .,'()&/@-]{0,63}",
    "is no signer's name | write the person's name, plain ASCII, at most 64 characters",
)
_hex = _matching(
    r"[0-9a-f]{64}", "is no Ed25519 public key | copy `public` from the file of `bundle key`"
)
_form = _matching(r"[ -~]{1,48}", 'is no form of a case number | write it as "##-####"')


def _signing_key(value: object) -> str:
    text = _hex(value)
    if bytes.fromhex(text) in WEAK_KEYS:
        raise ValueError(
            "is a weak Ed25519 key: anyone could sign for it | use a key from `bundle key`"
        )
    return text


CaseForm = Annotated[str, By(_form)]
SigningKey = Annotated[str, By(_signing_key)]
"""Ed25519, in hex, as `bundle key` writes it."""


class HotlistRulesTable(Section):
    """[hotlist] of a charter."""

    most_entries: Annotated[int, Between(ge=0, le=MOST_ENTRIES)] = MOST_ENTRIES
    additions_per_day: Annotated[int, Between(ge=0, le=MOST_ADDITIONS)] = MOST_ADDITIONS
    look_alikes: Annotated[int, Between(ge=1, le=MOST_ALIKE)] = MOST_ALIKE
    longest_days: Annotated[int, Between(ge=1, le=LONGEST_DAYS)] = LONGEST_DAYS
    case_forms: Annotated[list[CaseForm], Length(max_length=16)] = made(default_factory=list)


class SignerTable(Section):
    """[[hotlist_signer]]: `key` as `public` in the file that `bundle key` made."""

    name: Annotated[str, By(_name)]
    key: SigningKey


@dataclass(frozen=True, slots=True)
class HotlistRules:
    """`city`: the charter's name, which every signature covers, so that one city's approval lists
    nobody in another.

    `signers`: raw Ed25519 keys, 32 bytes, and their holders; none: entries need no signature.
    `look_alikes`: entries of plates that can be taken for one another. `case_forms`: none: any case
    number.
    """

    city: str = ""
    signers: Mapping[bytes, str] = field(default_factory=dict)
    most_entries: int = MOST_ENTRIES
    additions_per_day: int = MOST_ADDITIONS
    look_alikes: int = MOST_ALIKE
    longest_days: int = LONGEST_DAYS
    case_forms: tuple[str, ...] = ()

    def fits(self, case: str) -> bool:
        """Has the case number one of the forms? `#` stands for a digit, `@` for a letter A to Z,
        anything else for itself.
        """
        return not self.case_forms or any(_fits(case, form) for form in self.case_forms)


def signer_named(name: str, key: bytes) -> str:
    """A signer for people: 16 hexadecimal digits of the key tell two keys of one name apart."""
    return f'"{name}" (key {key.hex()[:16]})'


def hotlist_rules(document: Document) -> HotlistRules:
    """The rules in a charter; faults are noted."""
    written = document.table.get("hotlist", {})
    limits = (
        document.check(HotlistRulesTable, written, ("hotlist",))
        if isinstance(written, dict)
        else None
    ) or HotlistRulesTable()
    signers: dict[bytes, str] = {}
    for path, table in tables(document, "hotlist_signer", SignerTable):
        key = bytes.fromhex(table.key)
        if key in signers or table.name in signers.values():
            document.fault(path, "is there twice", "two hands are two people with a key each")
        signers[key] = table.name
    if 0 < len(signers) < HANDS:
        document.fault(("hotlist_signer", 0), "is alone", "two hands are two people: name another")
    name = document.table.get("name")
    return HotlistRules(
        name if isinstance(name, str) else "",
        signers,
        limits.most_entries,
        limits.additions_per_day,
        limits.look_alikes,
        limits.longest_days,
        tuple(limits.case_forms),
    )


def _fits(case: str, form: str) -> bool:
    return len(case) == len(form) and all(
        (wanted == "#" and one.isascii() and one.isdigit())
        or (wanted == "@" and "A" <= one <= "Z")
        or (wanted not in "#@" and wanted == one)
        for one, wanted in zip(case, form, strict=True)
    )
