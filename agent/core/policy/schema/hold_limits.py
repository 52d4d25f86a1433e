"""What a charter says of holds: whose signatures one needs, how wide its window may be, and how
long it may last (docs/ref/policy.md). Cameras obey nothing of it: it is for recipients, to whom
the holders of the city's root sign it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agent.core.policy.schema.hotlist_rules import SignerTable
from agent.core.policy.schema.tables import tables
from agent.core.text.schema.notes import Between
from agent.core.text.schema.section import Section
from agent.core.wire.holds.hold_rules import (
    LEAST_HANDS,
    MOST_DAYS,
    MOST_MINUTES,
    MOST_SIGNERS,
    HoldRules,
)

if TYPE_CHECKING:
    from agent.core.text.toml_document import Document


class HoldLimitsTable(Section):
    """[holds] of a charter: required keys, since a limit that was forgotten limits nothing."""

    signatures: Annotated[int, Between(ge=LEAST_HANDS, le=MOST_SIGNERS)]
    window_minutes: Annotated[int, Between(ge=1, le=MOST_MINUTES)]
    longest_days: Annotated[int, Between(ge=1, le=MOST_DAYS)]


def hold_limits(document: Document) -> HoldRules | None:
    """The rules in a charter; None: nobody may order a hold. Faults are noted."""
    signers: dict[bytes, str] = {}
    for path, one in tables(document, "hold_signer", SignerTable):
        key = bytes.fromhex(one.key)
        if key in signers or one.name in signers.values():
            document.fault(path, "is there twice", "each signer is a person with a key")
        signers[key] = one.name
    written = document.table.get("holds", {})
    if not isinstance(written, dict) or not written:
        if signers:
            document.fault(("hold_signer", 0), "has no [holds]", "say how wide a hold may be")
        return None
    limits = document.check(HoldLimitsTable, written, ("holds",))
    if limits is None:
        return None
    if not limits.signatures <= len(signers) <= MOST_SIGNERS:
        document.fault(
            ("holds", "signatures"),
            f"asks for {limits.signatures} of {len(signers)} signers",
            f"name that many [[hold_signer]], {MOST_SIGNERS} at most",
        )
        return None
    name = document.table.get("name")
    return HoldRules(
        name if isinstance(name, str) else "",
        signers,
        limits.signatures,
        limits.window_minutes,
        limits.longest_days,
    )
