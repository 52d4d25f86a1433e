"""The hot list's CSV: what is right is kept as far as matching needs it; what is broken refuses the list by line and field, never by plate."""

from datetime import date

import pytest

from agent.bundles.hotlist_file import read_hotlist
from agent.core.hotlist import CONFUSABLE_GROUPS, REQUIRED, fold, parse_hotlist
from agent.core.plate_text import CHARACTERS
from agent.errors import ConfigError
from tests.support.judging import EXAMPLE, HEADER, TODAY

PLATE = "PWD 7Q42"
ROW = f"{PLATE},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10"


def parse(*lines, header=HEADER, end="\n"):
    return parse_hotlist(end.join([header, *lines]).encode(), "hotlist.csv", TODAY)


def refused(text):
    """The lines of the refusal; no part of any plate may stand in them."""
    with pytest.raises(ConfigError) as caught:
        parse_hotlist(text if isinstance(text, bytes) else text.encode(), "hotlist.csv", TODAY)
    told = str(caught.value)
    assert not any(part in told.upper() for part in ("PWD", "7Q42"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return told.splitlines()


def test_the_shipped_example_is_right():
    found = read_hotlist(EXAMPLE / "hotlist.csv", TODAY)
    assert (len(found), found.expired) == (4, 0)
    assert {entry.category for entries in found.by_text.values() for entry in entries} == {"stolen-vehicle", "amber-alert", "never-release"}


def test_an_entry_keeps_what_matching_needs():
    found = parse(ROW)
    (entry,) = found.by_text["PWD7Q42"]
    assert (entry.state, entry.category, entry.agency, entry.case) == ("US-CA", "stolen-vehicle", "Town PD", "C-1")
    assert (entry.source_date, entry.expires) == (date(2026, 11, 10), date(2027, 1, 10))
    assert found.by_fold[fold("PWD7Q42")] == (entry,)
    assert "7Q42" not in repr(found) + repr(entry) + str(entry)


def test_bom_and_crlf_and_empty_last_lines_are_fine():
    text = f"\N{BYTE ORDER MARK}{HEADER}\r\n{ROW}\r\n\r\n"
    assert len(parse_hotlist(text.encode(), "hotlist.csv", TODAY)) == 1


def test_columns_may_stand_in_any_order_and_class_may_be_there():
    header = ",".join([*reversed(REQUIRED), "class"])
    row = ",".join([*reversed(ROW.split(",")), "passenger-car"])
    assert parse(row, header=header).by_text == parse(ROW).by_text


def test_a_header_alone_is_a_list_that_matches_nothing():
    assert len(parse()) == 0


def test_expired_rows_are_counted_and_not_kept():
    found = parse(
        ROW, ROW.replace("2027-01-10", "2026-11-22"), ROW.replace("2027-01-10", "2026-11-21"), ROW.replace("7Q42", "1").replace("2027-01-10", "2026-11-23")
    )
    assert (len(found), found.expired) == (2, 2)


def test_identical_rows_count_once_and_different_cases_all():
    found = parse(ROW, ROW, ROW.replace("C-1", "C-2"), ROW.replace(PLATE, "pwd-7q42"))
    assert [entry.case for entry in found.by_text["PWD7Q42"]] == ["C-1", "C-2"]


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        (PLATE, "", "plate"),
        (PLATE, "PWD 7Q42 7Q42 7Q42", "plate"),
        (PLATE, "PWD?7Q42", "plate"),
        (PLATE, "PWD 7Q4\N{CYRILLIC CAPITAL LETTER A}", "plate"),
        (PLATE, "PWD 7Q4\N{LATIN SMALL LETTER DOTLESS I}", "plate"),
        ("US-CA", "", "state"),
        ("US-CA", "us-ca", "state"),
        ("US-CA", "California", "state"),
        ("stolen-vehicle", "Stolen", "category"),
        ("stolen-vehicle", "", "category"),
        ("Town PD", "", "agency"),
        ("Town PD", "Town\tPD", "agency"),
        ("C-1", "", "case"),
        ("C-1", "x" * 49, "case"),
        ("2026-11-10", "10.11.2026", "source_date"),
        ("2026-11-10", "2026-02-30", "source_date"),
        ("2026-11-10", "2026-11-24", "source_date"),
        ("2027-01-10", "", "expires"),
        ("2027-01-10", "2026-11-10", "expires"),
        ("2027-01-10", "9999-12-31", "expires"),
    ],
)
def test_a_broken_field_is_named_with_its_line(old, new, field):
    told = refused("\n".join([HEADER, ROW, ROW.replace(old, new), ROW]))
    assert told[0].startswith(f"hotlist.csv:3: {field}: ")
    assert len(told) == 1


def test_a_row_cut_short_or_too_long_is_named():
    assert refused(f"{HEADER}\n{ROW}\n{ROW[:30]}") == ["hotlist.csv:3: 4 fields where the header has 7 (the row is cut short, or a comma is not in quotes)"]
    assert refused(f"{HEADER}\n{ROW},more")[0].startswith("hotlist.csv:2: 8 fields")


def test_all_broken_rows_are_told_at_once_but_not_without_end():
    told = refused("\n".join([HEADER, ROW.replace("US-CA", "?"), ROW, ROW.replace("2026-11-10", "?").replace("C-1", "")]))
    assert [line.split(": ")[:2] for line in told] == [["hotlist.csv:2", "state"], ["hotlist.csv:4", "case"], ["hotlist.csv:4", "source_date"]]
    assert len(refused("\n".join([HEADER, *[ROW.replace("US-CA", "?")] * 500]))) == 51


def test_without_a_header_the_first_row_is_not_quoted():
    assert "header: missing plate, state" in refused(f"{ROW}\n{ROW}")[0]
    assert "header: missing" in refused("")[0]


@pytest.mark.parametrize("column", ["note", "owner", "Plate", ""])
def test_notes_and_names_have_no_column(column):
    told = refused(f"{HEADER},{column}\n{ROW},x")
    assert told == [f"hotlist.csv:1: header: unknown column '{column}' (remove it: notes and names have no place on a camera)"]


def test_a_column_that_is_there_twice_is_refused():
    assert "twice" in refused(f"{HEADER},case\n{ROW},C-9")[0]


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (f'{HEADER}\n"{ROW}', "quotes that do not match"),
        (f"{HEADER}\n{ROW}\0", "hotlist.csv:2"),
        (f"{HEADER}\n{'x' * 200_000}", "field too long"),
        (HEADER.encode() + b"\nPWD \xff7Q42", "hotlist.csv:2: not UTF-8"),
        (f'{HEADER}\n"PWD\n7Q42"{ROW[8:]}', "plate: must be"),
    ],
)
def test_what_is_no_csv_is_refused_without_quoting_it(hostile, words):
    assert words in refused(hostile)[0]


def test_confusable_groups_do_not_overlap_and_fold_to_their_first():
    characters = "".join(CONFUSABLE_GROUPS)
    assert len(set(characters)) == len(characters)
    assert set(characters) <= set(CHARACTERS)
    assert fold("O0QD-I1L-Z2-S5-G6-B8-ACEX") == "0000-111-22-55-66-88-ACEX"


def test_a_missing_or_odd_file_is_named(tmp_path):
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(ConfigError, match=str(path)):
            read_hotlist(path, TODAY)
