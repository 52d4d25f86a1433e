"""Counts for how many entries of a list each case stands: one for a whole extract says little."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.core.hotlist.columns import Columns


def case_counts(columns: Columns) -> Counter[str]:
    """How many entries each case reference has."""
    cases = columns.cases.tobytes()
    begins, lengths = columns.rows["case_at"].tolist(), columns.rows["case_length"].tolist()
    return Counter(
        str(cases[begin : begin + length], "ascii")
        for begin, length in zip(begins, lengths, strict=True)
    )
