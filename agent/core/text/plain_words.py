"""Days and names as people write them, in what a clerk, an auditor or the public reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date


def plain_day(day: date) -> str:
    """`1 March 2027`: no country takes the day for the month, or the other way round."""
    return f"{day.day} {day:%B %Y}"


def quoted_names(names: Iterable[str], between: str = ", ") -> str:
    """`"Ada Ortiz, council", "Ben Cho"`: names hold commas; `nobody` where there is none."""
    return between.join(f'"{name}"' for name in names) or "nobody"
