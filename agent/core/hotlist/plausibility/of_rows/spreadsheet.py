"""Finds plates that a spreadsheet changed into numbers or dates, as they were written out again.

Only what no plate is written as: `MAR-2026` in capitals, or `1E5`, is an ordinary plate.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MONTH = "(?:Jan|Feb|Mar|Mrz|Apr|May|Mai|Jun|Jul|Aug|Sep|Sept|Oct|Okt|Nov|Dec|Dez)"
_DAY, _TIME = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
_KINDS = {
    "formula": r"=.*|'[0-9]+",
    "error": r"#(?:REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|#+)",
    "exponent": r"-?[0-9]+(?:[.,][0-9]*[Ee][+-]?|[Ee]\+)[0-9]+",
    "decimal": r"[0-9]+[.,]0+",
    "date": (
        rf"{_DAY}[- .]{_MONTH}(?:[- .][0-9]{{2,4}})?|{_MONTH}[- .][0-9]{{1,4}}"
        rf"|[0-9]{{4}}-(?:0[1-9]|1[0-2])-{_DAY}{_TIME}"
        rf"|[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2,4}}{_TIME}"
    ),
}
_TOLD = {
    "formula": "a formula, or a number behind an apostrophe",
    "error": "an error value",
    "exponent": "a number with an exponent",
    "decimal": "a number with a decimal place",
    "date": "a date",
}
_changed = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _KINDS.items())).fullmatch


def any_changed(untrusted_plates: Iterable[str]) -> bool:
    """Is one of them such a value?"""
    return any(map(_changed, untrusted_plates))


def change_of(untrusted_plate: str) -> str:
    """What a spreadsheet made of it, without the value; empty where it did nothing."""
    found = _changed(untrusted_plate.strip())
    if found is None:
        return ""
    return (
        f"plate: {_TOLD[found.lastgroup or 'date']}, as a spreadsheet writes it; "
        "export the list again with this column as text"
    )
