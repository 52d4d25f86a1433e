"""Finds plates and case numbers that a spreadsheet changed into numbers or dates, as they were
written out again.

What no plate is written as is told for certain. What reads like a date and can be a plate, as
`MAR-26` in an agency's capitals, is asked for by a flag. `MAR-2026` and `1E5` are ordinary plates:
three letters and four digits is what most of the United States issues.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from agent.core.hotlist.plausibility.doubts import Doubt

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of the languages of the jurisdictions' spreadsheets, short and in full. One with an É or Û is no
# text that a plate can have.
_MONTH = (
    "(?:Jan|Feb|Mar|Mrz|M[aä]r|Mrt|Apr|Abr|Avr|May|Mai|Mei|Maj|Mag|Jun|Juin|Giu|Jul|Juil|Lug|Aug|Ago"
    "|Sep|Sept|Set|Oct|Okt|Out|Ott|Nov|Dec|Dez|Dic|Ene|Gen|Janv|Fev|Mars"
    "|January|February|March|April|June|July|August|September|October|November|December"
    "|Januar|Februar|M[aä]rz|Juni|Juli|Oktober|Dezember|Enero|Febrero|Marzo|Abril|Mayo|Junio|Julio"
    "|Agosto|Septiembre|Octubre|Noviembre|Diciembre|Janvier|Avril|Juillet|Septembre|Octobre"
    "|Novembre|Gennaio|Febbraio|Aprile|Maggio|Giugno|Luglio|Settembre|Ottobre|Dicembre)"
)
_DAY, _TIME = "(?:0?[1-9]|[12][0-9]|3[01])", "(?:[ T][0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
_OF_YEAR = "(?:0?[1-9]|1[0-2])"  # a month as a number
_YEAR = "(?:(?:19|20)[0-9]{2})"
_BETWEEN = r"[- ./]{1,2}"
_KINDS = {
    "formula": r"=.*|'[0-9]+",
    "error": r"#(?:REF!|NAME\?|VALUE!|DIV/0!|NUM!|NULL!|SPILL!|#+)",
    "exponent": r"-?[0-9]+(?:[.,][0-9]*[Ee][+-]?|[Ee]\+)[0-9]+",
    "decimal": r"-?[0-9]+[.,]0+",
    "negative": r"-[0-9]+",
    "date": (
        rf"{_DAY}{_BETWEEN}{_MONTH}(?:{_BETWEEN}[0-9]{{2,4}})?|{_MONTH}{_BETWEEN}[0-9]{{1,4}}"
        rf"|{_YEAR}{_BETWEEN}{_MONTH}"
        rf"|{_YEAR}([-./]){_OF_YEAR}\7{_DAY}{_TIME}"
        rf"|(?:{_DAY}([-.]){_OF_YEAR}|{_OF_YEAR}([-.]){_DAY})(?:\8|\9){_YEAR}{_TIME}"
        rf"|[0-9]{{1,2}}/[0-9]{{1,2}}/[0-9]{{2,4}}{_TIME}"
        rf"|{_DAY}/{_OF_YEAR}|{_OF_YEAR}/{_DAY}|{_OF_YEAR}/{_YEAR}|{_DAY}\.{_OF_YEAR}\."
    ),
}
_TOLD = {
    "formula": "a formula, or a number behind an apostrophe",
    "error": "an error value",
    "exponent": "a number with an exponent",
    "decimal": "a number with a decimal place",
    "negative": "a negative number",
    "date": "a date",
}
_LIKE_A_DATE = (
    rf"(?i:{_DAY}{_BETWEEN}{_MONTH}(?:{_BETWEEN}(?:{_YEAR}|[0-9]{{2}}))?"
    rf"|{_MONTH}{_BETWEEN}[0-9]{{1,2}})"
    rf"|{_DAY}([-.]){_OF_YEAR}\1[0-9]{{2}}|{_OF_YEAR}([-.]){_DAY}\2[0-9]{{2}}"
    rf"|[0-9]{{2}}([-.]){_OF_YEAR}\3{_DAY}"
)
_OF_A_CASE = (
    rf"(?i:{_DAY}{_BETWEEN}{_MONTH}(?:{_BETWEEN}[0-9]{{2,4}})?"
    rf"|{_MONTH}{_BETWEEN}(?:{_DAY}|{_YEAR}|[0-9]{{2}})|{_YEAR}{_BETWEEN}{_MONTH})"
    r"|[0-9]+\.0+|[0-9]+\.[0-9]+[Ee]\+?[0-9]+"
)
_changed = re.compile("|".join(f"(?P<{kind}>{form})" for kind, form in _KINDS.items())).fullmatch
_like_a_date = re.compile(_LIKE_A_DATE).fullmatch
_case_changed = re.compile(_OF_A_CASE).fullmatch
# A block of thousands has few shapes, digits as 0 and letters as A. Only where one of these could
# be such a value are the values themselves looked at.
_SHAPE = str.maketrans(
    "123456789BCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyzä", "0" * 9 + "A" * 52
)
_plate_may_be = re.compile(
    r"[=#'].*|-0.*|0+[.,].*|0+A\+0+|0{1,2}[- ./]{1,2}A{3,10}.*|A{3,10}[- ./]{1,2}0{1,4}"
    r"|0{4}[- ./]{1,2}A{3,10}|0{1,4}[-./]0{1,2}.*"
).fullmatch
_case_may_be = re.compile(
    r"0{1,2}[- ./]{1,2}A{3,10}.*|A{3,10}[- ./]{1,2}0{1,4}|0{4}[- ./]{1,2}A{3,10}|0+\.0+(?:A\+?0+)?"
).fullmatch
_FLAG = f"export the list again with this column as text, or give {Doubt.DATES.flag}"


class SpreadsheetTraces:
    """`dates`: what only reads like a date is taken."""

    def __init__(self, *, dates: bool) -> None:
        self._dates = dates

    def any(self, untrusted_plates: Sequence[str], untrusted_cases: Sequence[str]) -> bool:
        """Is something doubted in one of these columns?"""
        if any(map(_plate_may_be, _shapes(untrusted_plates))) and (
            any(map(_changed, untrusted_plates))
            or (not self._dates and any(map(_like_a_date, untrusted_plates)))
        ):
            return True
        return (
            not self._dates
            and any(map(_case_may_be, _shapes(untrusted_cases)))
            and any(map(_case_changed, untrusted_cases))
        )

    def of_plate(self, untrusted_plate: str) -> str:
        """What a spreadsheet made of it, without the value; empty where it did nothing."""
        plate = untrusted_plate.strip()
        found = _changed(plate)
        if found is not None:
            kind = next(kind for kind in _KINDS if found[kind] is not None)
            return (
                f"plate: {_TOLD[kind]}, as a spreadsheet writes it; "
                "export the list again with this column as text"
            )
        like = not self._dates and _like_a_date(plate)
        return f"plate: reads like a date; {_FLAG} where a vehicle really has it" if like else ""

    def of_case(self, untrusted_case: str) -> str:
        """The same of a case number."""
        if self._dates or not _case_changed(untrusted_case.strip()):
            return ""
        return f"case: reads like a date or a number that a spreadsheet made of it; {_FLAG}"


def _shapes(untrusted_texts: Sequence[str]) -> set[str]:
    return set("\n".join(untrusted_texts).translate(_SHAPE).split("\n"))
