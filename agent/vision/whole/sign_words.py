"""Says whether a text is what signs, vehicles' sides and cameras' overlays write: a word with a
number, or a date.
"""

import re
import tomllib
from datetime import datetime
from functools import cache
from pathlib import Path

# A reader cannot tell these apart outside a plate, where no syntax helps it.
_ALIKE = str.maketrans("OI", "01")
SHORTEST_WORD = 4
# `ABC 123` is the form of many series: a shorter word counts in no longer text.
LONGEST_WITH_SHORT_WORD = 5
_NUMBER = r"\d+[A-Z]?"
_DATES = ("%Y%m%d", "%d%m%Y", "%m%d%Y")
_YEARS = range(2000, 2100)


def is_wording(text: str) -> bool:
    """Is `text` (A–Z, 0–9) a word of sign_words.toml beside a number, which may have one letter
    (`PARK 24H`), or a whole date? A word alone lacks a digit, which is another limit.
    """
    long, any_word = _forms()
    form = any_word if len(text) <= LONGEST_WITH_SHORT_WORD else long
    return form.fullmatch(text.translate(_ALIKE)) is not None or _is_date(text)


@cache
def _forms() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A word of four letters and more beside a number, and any word."""
    long, short = words()
    return _beside_a_number(long), _beside_a_number((*long, *short))


def _beside_a_number(known: tuple[str, ...]) -> re.Pattern[str]:
    word = f"(?:{'|'.join(known)})"
    return re.compile(f"{word}{_NUMBER}|{_NUMBER}{word}")


@cache
def words() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """All words of all languages with look-alikes made equal: those of four letters and more, and
    the shorter ones.
    """
    table = tomllib.loads(Path(__file__).with_name("sign_words.toml").read_text(encoding="ascii"))
    alike = {
        word.translate(_ALIKE)
        for languages in table.values()
        for text in languages.values()
        for word in text.split()
    }
    long = {word for word in alike if len(word) >= SHORTEST_WORD}
    return tuple(sorted(long)), tuple(sorted(alike - long))


def _is_date(text: str) -> bool:
    """Eight digits that are a day of this century, as overlays write it."""
    if len(text) != 8 or not text.isdigit():
        return False
    return any(_day_in(text, form) for form in _DATES)


def _day_in(text: str, form: str) -> bool:
    try:
        return datetime.strptime(text, form).year in _YEARS  # noqa: DTZ007 - a day, no instant
    except ValueError:
        return False
