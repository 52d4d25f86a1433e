"""What a charter promises of how cameras read, and whether one that reads worse may go on releasing
(docs/ref/policy.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from agent.core.text.schema.notes import Between
from agent.core.text.schema.section import Section
from agent.values import dataclass

if TYPE_CHECKING:
    from agent.core.text.toml_document import Document

_PATH = ("reading",)


class ReadingRulesTable(Section):
    """[reading] of a charter. `rehearsal_days`: so often a test plate is held up; `least_right`:
    the share of them that is read right; `most_drift`: how far a day's mean confidence may lie
    below the usual one; `close`: one that reads worse releases nothing.
    """

    rehearsal_days: Annotated[int, Between(ge=1, le=60)] | None = None
    least_right: Annotated[float, Between(gt=0, le=1)] | None = None
    most_drift: Annotated[float, Between(ge=0.01, le=0.5)] | None = None
    close: bool = False


@dataclass(frozen=True, slots=True)
class ReadingRules:
    """None: that is not promised."""

    rehearsal_days: int | None
    least_right: float | None
    most_drift: float | None
    close: bool

    def __str__(self) -> str:
        """In words, for the difference of two charters."""
        said = []
        if self.rehearsal_days is not None:
            said.append(f"a test plate is read every {self.rehearsal_days} days")
        if self.least_right is not None:
            said.append(f"{self.least_right:g} of them right")
        if self.most_drift is not None:
            said.append(f"confidence falls by {self.most_drift:g} at most")
        closes = "a camera that reads worse stops" if self.close else "only told"
        return f"{', '.join(said)}; {closes}"


def reading_rules(document: Document) -> ReadingRules | None:
    """The rules in a charter, or None; faults are noted."""
    written = document.table.get("reading", {})
    if not isinstance(written, dict) or not written:
        return None
    table = document.check(ReadingRulesTable, written, _PATH)
    if table is None:
        return None
    if table.least_right is not None and table.rehearsal_days is None:
        document.fault(
            (*_PATH, "least_right"), "is of rehearsals that nobody asks for", "add rehearsal_days"
        )
        return None
    if table.rehearsal_days is None and table.most_drift is None:
        document.fault(_PATH, "promises nothing", "write rehearsal_days or most_drift")
        return None
    return ReadingRules(table.rehearsal_days, table.least_right, table.most_drift, table.close)
