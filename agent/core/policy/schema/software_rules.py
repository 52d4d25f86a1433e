"""What a charter says of the cameras' software: whose release key vouches for a version, how many
of the city's signers must release it, and below which version no camera goes (docs/ref/policy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agent.core.policy.schema.hotlist_rules import SigningKey
from agent.core.software.software_version import SoftwareVersion, parse_version
from agent.core.text.schema.notes import Between, By, Length
from agent.core.text.schema.section import Section
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.text.toml_document import Document

LEAST_SIGNERS, MOST_SIGNERS = 2, 9  # no single person may change what cameras run


def _version(value: object) -> object:
    return parse_version(value) if isinstance(value, str) else value


class SoftwareRulesTable(Section):
    """[software] of a charter. `release_keys`: as `public` in the file that `bundle key` made."""

    release_keys: Annotated[list[SigningKey], Length(1, 4)]
    signers: Annotated[int, Between(ge=LEAST_SIGNERS, le=MOST_SIGNERS)] = LEAST_SIGNERS
    floor: Annotated[SoftwareVersion, By(_version)]


@dataclass(frozen=True, slots=True)
class SoftwareRules:
    """`release_keys`: raw Ed25519, 32 bytes each; `signers`: how many of the city's role must have
    signed; `floor`: the lowest version that a camera takes.
    """

    release_keys: tuple[bytes, ...]
    signers: int
    floor: SoftwareVersion


def software_rules(document: Document) -> SoftwareRules | None:
    """The rules in a charter, or None; faults are noted."""
    written = document.table.get("software", {})
    if not isinstance(written, dict) or not written:
        return None
    table = document.check(SoftwareRulesTable, written, ("software",))
    if table is None:
        return None
    keys = tuple(bytes.fromhex(key) for key in table.release_keys)
    if len(set(keys)) != len(keys):
        document.fault(("software", "release_keys"), "one key is there twice", "name each once")
        return None
    return SoftwareRules(keys, table.signers, table.floor)
