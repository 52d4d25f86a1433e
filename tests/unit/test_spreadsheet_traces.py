"""A block of rows is doubted exactly where one of its rows is: the quick look at shapes passes over
nothing that the look at each value tells.
"""

import random
import string

import pytest

from agent.core.hotlist.plausibility.of_rows.spreadsheet import SpreadsheetTraces
from tests.components.test_hotlist_hostile_clerk import CASES, DATES_SURE, LIKE_DATES
from tests.components.test_hotlist_plausibility import CHANGED

PARTS = ("Jan", "MAR", "dez", "März", "Sept", "E", "e+", "0", "7", "12", "26", "31", "2026", "1999")
BETWEEN = ("", "-", ".", "/", " ", ". ", "..", ",", "#", "=", "'")


@pytest.mark.parametrize("dates", [False, True])
@pytest.mark.parametrize("value", [*DATES_SURE, *LIKE_DATES, *CHANGED, *CASES])
def test_known_values(value, dates):
    traces = SpreadsheetTraces(dates=dates)
    good = ["7TST001", "ABC 123"]
    assert traces.any([*good, value], good) is bool(traces.of_plate(value))
    assert traces.any(good, [*good, value]) is bool(traces.of_case(value))


def test_any_value():
    chance, told = random.Random(19), 0
    traces = SpreadsheetTraces(dates=False)
    for _ in range(60_000):
        words = chance.choices(
            (*PARTS, chance.choice(string.ascii_letters)), k=chance.choice((1, 2, 3))
        )
        value = chance.choice(BETWEEN).join(words)
        plate, case = traces.of_plate(value), traces.of_case(value)
        assert traces.any([value], ["26-1"]) is bool(plate), value
        assert traces.any(["7TST001"], [value]) is bool(case), value
        told += bool(plate) + bool(case)
    assert told > 5_000
