"""Do records of fixed width fit the columns that were named? A CSV does not, and neither does an
extract that lies a column beside them: all its codes would be unknown, and the list empty.
"""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from agent.core.hotlist.entry import REQUIRED, plate_of
from agent.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Spans = "Mapping[str, tuple[int, int]]"
_LOOKED_AT = 200
_SHIFTS = (1, -1, 2, -2, 3, -3)
_MOST_OF = 0.8
_SEPARATORS = (b",", b";", b"\t", b"|")
_state = re.compile(rb"[A-Z]{2}").fullmatch
_code = re.compile(rb"[A-Z]").fullmatch


def require_fits(
    untrusted_lines: Sequence[bytes], spans: Mapping[str, tuple[int, int]], where: str
) -> None:
    """Raises ConfigError, with what would fit. `untrusted_lines`: without empty ones."""
    lines = untrusted_lines[:_LOOKED_AT]
    if not lines:
        return
    if _is_csv(lines):
        raise ConfigError(
            "is a CSV, and no records of fixed width", where=where, fix="leave --ncic out"
        )
    if _fitting(lines, spans, 0) >= len(lines) / 2:
        return
    for shift in _SHIFTS:
        if _fitting(lines, spans, shift) >= _MOST_OF * len(lines):
            told = ",".join(
                f"{name}={first + shift}" + (f"-{last + shift}" if last > first else "")
                for name, (first, last) in spans.items()
            )
            side = "right" if shift > 0 else "left"
            raise ConfigError(
                f"its records stand {abs(shift)} column{'s' * (abs(shift) > 1)} to the {side} "
                "of those named",
                where=where,
                fix=f"give --columns {told}, if all of it is meant so",
            )


def _is_csv(lines: Sequence[bytes]) -> bool:
    """By its header, or by as many separators as a row has."""
    first = lines[0].lower()
    if sum(name.encode("ascii") in first for name in REQUIRED) > len(REQUIRED) // 2:
        return True
    fewest = len(REQUIRED) - 1
    return any(all(line.count(one) >= fewest for line in lines) for one in _SEPARATORS)


def _fitting(lines: Sequence[bytes], spans: Mapping[str, tuple[int, int]], shift: int) -> int:
    """How many lines are records, read so many columns to the right."""
    places = {name: slice(first - 1 + shift, last + shift) for name, (first, last) in spans.items()}
    if any(place.start < 0 for place in places.values()):
        return 0
    return sum(_fits({name: line[place] for name, place in places.items()}) for line in lines)


def _fits(fields: Mapping[str, bytes]) -> bool:
    plate = fields["plate"]
    if not (_code(fields["code"]) and _state(fields["state"]) and plate[:1].strip()):
        return False
    day = fields["date"].decode("ascii", "replace")
    try:
        date.fromisoformat(f"{day[:4]}-{day[4:6]}-{day[6:]}")
    except ValueError:
        return False
    return bool(plate_of(plate.decode("ascii", "replace").strip()))
