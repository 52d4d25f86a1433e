"""Which categories of a hot list may be looked for at all, and under which names the others are
counted.

The allow-list is applied before a row's plate is even looked at. Names come from strangers' files,
and a row whose fields have shifted may hold a plate where its category should be: a dropped row is
counted by name only when the name is on the closed list below, else as `unknown`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.core.policy.policy import NEVER_RELEASE, TEST

if TYPE_CHECKING:
    from collections.abc import Iterable

UNKNOWN = "unknown"

# Ours first, then the files that the FBI's extract for plate readers is made of
# (le.fbi.gov, "License Plate Reader Data Extract in NCIC", 2024-06-04, read 2026-11-22).
KNOWN_CATEGORIES = frozenset(
    {
        *(
            NEVER_RELEASE,
            "stolen-vehicle",
            "stolen-plate",
            "amber-alert",
            "silver-alert",
            "missing-person",
            "wanted-person",
            "felony-vehicle",
        ),
        *(
            "protection-order",
            "extreme-risk-protection-order",
            "gang",
            "threat-screening",
            "supervised-release",
            "sex-offender",
        ),
        TEST,  # never looked for: a real vehicle must not pass for a rehearsal
        *(
            "immigration-violator",
            "protective-interest",
            "violent-person",
            "parking",
            "unregistered",
            "uninsured",
        ),
    }
)


class AllowList:
    """`allowed`: names that may enter; None for all (tests, and lists without a charter).

    Counts what it turned away.
    """

    def __init__(self, allowed: Iterable[str] | None) -> None:
        # Protection needs no permission.
        self.names = None if allowed is None else frozenset(allowed) | {NEVER_RELEASE}
        self.dropped: dict[str, int] = {}

    def admits(self, category: str) -> bool:
        """May rows of this category enter? `unknown` and `test` never."""
        return category not in {UNKNOWN, TEST} and (self.names is None or category in self.names)

    def drop(self, category: str, rows: int = 1) -> None:
        """Count rows that were turned away."""
        name = category if category in KNOWN_CATEGORIES else UNKNOWN
        self.dropped[name] = self.dropped.get(name, 0) + rows
