"""`hotlist import` of lists that are not what they seem: told by line, never by value."""

import re
from pathlib import Path

import pytest

from tests.components.test_hotlist_command import PLATE, ROW, city, hotlist, listed, source

__all__ = ["city"]


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1.23E+08", "exponent"),
        ("1E+05", "exponent"),
        ("7.00E05", "exponent"),
        ("700123.0", "decimal"),
        ("7001.00", "decimal"),
        ("Mar-26", "date"),
        ("26-Mar", "date"),
        ("07-Okt-26", "date"),
        ("2026-03-01", "date"),
        ("2026-03-01 00:00:00", "date"),
        ("3/7/2026", "date"),
    ],
)
def test_a_value_that_a_spreadsheet_changed_is_told_by_line(
    city: Path, value: str, kind: str
) -> None:
    """They became plates, such as 26MAR."""
    path = source(city, ROW, ROW.replace(PLATE, value).replace("C-1", "C-2"))
    done = hotlist("import", path, "--city", city, code=2)
    assert ":3: plate: a " in done.stderr
    assert kind in done.stderr
    assert value not in done.stdout + done.stderr
    hotlist("import", path, "--city", city, "--skip-bad-rows")
    assert listed(city) == ["C-1"]


@pytest.mark.parametrize("plate", ["MAR-2026", "MAR 26", "1E5", "26-MAR", "12-34-56", "AB 10.20"])
def test_a_plate_like_a_date_or_a_number_is_taken(city: Path, plate: str) -> None:
    hotlist("import", source(city, ROW.replace(PLATE, plate)), "--city", city)
    assert listed(city, re.sub("[^A-Z0-9]", "", plate)) == ["C-1"]
