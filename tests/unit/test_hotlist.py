"""The hot list's CSV: what is right is kept as far as matching needs it; what is broken refuses the
list by line and field, never by plate.
"""

from datetime import date, timedelta

import numpy as np
import pytest

from agent.core.hotlist.categories import KNOWN_CATEGORIES
from agent.core.hotlist.confusion import (
    CONFUSABLE_GROUPS,
    fold,
    fold_key,
    fold_keys,
    text_key,
    text_of,
    texts_of,
)
from agent.core.hotlist.entry import REQUIRED
from agent.core.hotlist.intake.lines import line_blocks
from agent.core.hotlist.intake.list_import import Source, import_list, parse_hotlist
from agent.core.reading.plate_text import CHARACTERS, PlateText
from agent.errors import ConfigError
from tests.support.judging import HEADER, NOON, TODAY

PLATE = "PWD 7Q42"
ROW = f"{PLATE},US-CA,stolen-vehicle,Town PD,C-1,2026-11-10,2027-01-10"


def parse(*lines, header=HEADER, end="\n", allowed=None):
    return parse_hotlist(end.join([header, *lines]).encode(), "hotlist.csv", TODAY, allowed=allowed)


def skipping(*lines):
    done = import_list(
        Source(["\n".join([HEADER, *lines]).encode()], "hotlist.csv", NOON),
        None,
        TODAY,
        skip_bad_rows=True,
    )
    return done.compiled.header, done.skipped_lines


def refused(text):
    """The lines of the refusal; no part of any plate may stand in them."""
    with pytest.raises(ConfigError) as caught:
        parse_hotlist(text if isinstance(text, bytes) else text.encode(), "hotlist.csv", TODAY)
    told = str(caught.value)
    assert not any(part in told.upper() for part in ("PWD", "7Q42"))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return told.splitlines()


def test_an_entry_keeps_what_matching_needs():
    found = parse(ROW)
    (entry,) = found.texts("PWD7Q42")
    assert (entry.state, entry.category, entry.agency, entry.case) == (
        "US-CA",
        "stolen-vehicle",
        "Town PD",
        "C-1",
    )
    assert (entry.source_date, entry.expires, entry.vehicle_class) == (
        date(2026, 11, 10),
        date(2027, 1, 10),
        "",
    )
    assert list(found.alike("PWO7D42")) == [entry]
    assert not found.texts("PWO7D42")
    assert "7Q42" not in repr(found) + repr(entry) + str(entry)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_bom_and_any_line_ends_and_empty_last_lines_are_fine(end):
    text = f"\N{BYTE ORDER MARK}{HEADER}{end}{ROW}{end}{end}"
    assert len(parse_hotlist(text.encode(), "hotlist.csv", TODAY)) == 1


def test_columns_may_stand_in_any_order_and_class_is_kept():
    header = ",".join([*reversed(REQUIRED), "class"])
    (entry,) = parse(",".join([*reversed(ROW.split(",")), "passenger-car"]), header=header).texts(
        "PWD7Q42"
    )
    assert (entry.case, entry.vehicle_class) == ("C-1", "passenger-car")


def test_a_field_may_be_quoted():
    (entry,) = parse(ROW.replace("Town PD", '"Town PD, East"')).texts("PWD7Q42")
    assert entry.agency == "Town PD, East"


def test_a_header_alone_is_a_list_that_matches_nothing():
    assert len(parse()) == 0
    assert not parse().alike("PWD7Q42")


def test_expired_rows_are_counted_and_not_kept():
    live, *expired = (
        ROW.replace("7Q42", number).replace("2027-01-10", ends)
        for number, ends in (("1", "2026-11-23"), ("2", "2026-11-22"), ("3", "2026-11-21"))
    )
    found = parse(live, *expired, ROW)
    assert (len(found), found.expired) == (2, 2)
    # The case references that are left are theirs.
    assert [entry.case for text in ("PWD1", "PWD7Q42") for entry in found.texts(text)] == [
        "C-1",
        "C-1",
    ]
    assert not found.texts("PWD2")


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("category", "older", "newer", "left"),
    [
        # The agency's later word ended it: an older row does not bring it back.
        ("stolen-vehicle", "2026-11-10,2027-01-10", "2026-11-15,2026-11-20", 0),
        ("stolen-vehicle", "2026-11-10,2026-11-20", "2026-11-15,2027-01-10", 1),
        # The longer protection wins.
        ("never-release", "2026-11-10,2027-01-10", "2026-11-15,2026-11-20", 1),
    ],
)
def test_rows_are_compared_before_the_expired_ones_go(category, older, newer, left, turned):
    rows = [
        f"{PLATE},US-CA,{category},Town PD,C-1,{dates}"
        for dates in ((newer, older) if turned else (older, newer))
    ]
    found = parse(*rows)
    assert (len(found), found.expired, found.contradicting) == (left, 1 - left, 1)


def test_identical_rows_count_once_and_different_cases_all():
    found = parse(ROW, ROW, ROW.replace("C-1", "C-2"), ROW.replace(PLATE, "pwd-7q42"))
    assert [entry.case for entry in found.texts("PWD7Q42")] == ["C-1", "C-2"]
    assert (found.identical, found.contradicting) == (2, 0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(
    ("category", "one", "other", "wins"),
    [
        # The later report wins.
        (
            "stolen-vehicle",
            "2026-11-10,2027-01-10",
            "2026-11-12,2027-02-10",
            "2026-11-12,2027-02-10",
        ),
        # Of two reports of one day, the shorter suspicion wins.
        (
            "stolen-vehicle",
            "2026-11-10,2027-01-10",
            "2026-11-10,2027-02-10",
            "2026-11-10,2027-01-10",
        ),
        # The longer protection wins.
        (
            "never-release",
            "2026-11-12,2027-01-10",
            "2026-11-10,2027-02-10",
            "2026-11-10,2027-02-10",
        ),
    ],
)
def test_of_rows_that_contradict_one_another_in_their_dates_one_wins_whatever_their_order(
    category, one, other, wins, turned
):
    rows = [
        f"{PLATE},US-CA,{category},Town PD,C-1,{dates}"
        for dates in ((other, one) if turned else (one, other))
    ]
    found = parse(*rows, rows[0].replace("C-1", "C-2"))
    assert [
        f"{entry.source_date},{entry.expires}"
        for entry in found.texts("PWD7Q42")
        if entry.case == "C-1"
    ] == [wins]
    assert (len(found), found.contradicting) == (2, 1)


def test_a_category_that_is_not_allowed_never_enters_and_is_named_only_if_known():
    rows = [
        ROW,
        ROW.replace("stolen-vehicle", "immigration-violator"),
        ROW.replace("stolen-vehicle", "pwd7q42"),
        ROW.replace("stolen-vehicle", "never-release"),
    ]
    found = parse(*rows, "never looked at,,immigration-violator,,,,", allowed={"stolen-vehicle"})
    assert {entry.category for entry in found.texts("PWD7Q42")} == {
        "stolen-vehicle",
        "never-release",
    }
    assert found.dropped == {"immigration-violator": 2, "unknown": 1}
    assert "immigration-violator" in KNOWN_CATEGORIES


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
        ("US-CA", "US-C\N{GREEK CAPITAL LETTER ALPHA}", "state"),
        ("stolen-vehicle", "Stolen", "category"),
        ("stolen-vehicle", "", "category"),
        ("Town PD", "", "agency"),
        ("Town PD", "Town\tPD", "agency"),
        ("C-1", "", "case"),
        ("C-1", "x" * 49, "case"),
        ("2026-11-10", "10.11.2026", "source_date"),
        ("2026-11-10", "2026-02-30", "source_date"),
        ("2026-11-10", "2026-11-24", "source_date"),
        ("2026-11-10", "1969-12-31", "source_date"),
        ("2027-01-10", "", "expires"),
        ("2027-01-10", "2026-11-10", "expires"),
        ("2027-01-10", "9999-12-31", "expires"),
    ],
)
def test_a_broken_field_is_named_with_its_line(old, new, field):
    told = refused("\n".join([HEADER, ROW, ROW.replace(old, new), ROW]))
    assert told[0].startswith(f"hotlist.csv:3: {field}: ")
    assert "--skip-bad-rows" in told[-1]


def test_a_row_cut_short_or_too_long_is_named():
    assert refused(f"{HEADER}\n{ROW}\n{ROW[:30]}")[0].startswith(
        "hotlist.csv:3: 4 fields where the header has 7 "
        "(the row is cut short, or a comma is not in quotes)"
    )
    assert refused(f"{HEADER}\n{ROW},more")[0].startswith("hotlist.csv:2: 8 fields")


def test_all_broken_rows_are_told_at_once_but_not_without_end():
    told = refused(
        "\n".join(
            [
                HEADER,
                ROW.replace("US-CA", "?"),
                ROW,
                ROW.replace("2026-11-10", "?").replace("C-1", ""),
            ]
        )
    )
    assert [line.split(": ")[:2] for line in told] == [
        ["hotlist.csv:2", "state"],
        ["hotlist.csv:4", "case"],
        ["hotlist.csv:4", "source_date"],
    ]
    assert len(refused("\n".join([HEADER, *[ROW.replace("US-CA", "?")] * 500]))) == 51


def test_broken_rows_can_be_left_out_and_are_then_counted_and_listed_by_line():
    header, lines = skipping(
        ROW, ROW.replace("US-CA", "?"), ROW.replace("C-1", "C-2"), "PWD", ROW.replace("C-1", "C-3")
    )
    assert (header.entries, header.skipped, lines) == (3, 2, (3, 5))
    header, lines = skipping(*["PWD 7Q42"] * 3000)
    assert (header.entries, header.skipped, len(lines)) == (0, 3000, 1000)


def test_without_a_header_the_first_row_is_not_quoted():
    assert "header: missing plate, state" in refused(f"{ROW}\n{ROW}")[0]
    assert "header: missing" in refused("")[0]


@pytest.mark.parametrize("column", ["note", "owner", "remarks", ""])
def test_notes_and_names_have_no_column(column):
    told = refused(f"{HEADER},{column}\n{ROW},x")
    assert told == [
        (
            f"hotlist.csv:1: header: unknown column '{column}' (remove it: "
            "notes and names have no place on a camera)"
        )
    ]


def test_a_column_that_is_there_twice_is_refused():
    assert "twice" in refused(f"{HEADER},case\n{ROW},C-9")[0]


@pytest.mark.parametrize(
    ("hostile", "words"),
    [
        (f'{HEADER}\n"{ROW}', "hotlist.csv:2: not CSV here: quotes that do not match"),
        (f"{HEADER}\n{ROW}\0", "hotlist.csv:2: holds a NUL byte"),
        (f"{HEADER}\n{'x' * 200_000}", "hotlist.csv:2: longer than 4096 bytes"),
        (HEADER.encode() + b"\nPWD \xff7Q42", "hotlist.csv:2: not UTF-8"),
        (f'{HEADER}\n"PWD\n7Q42"{ROW[8:]}', "hotlist.csv:2: not CSV here"),
        (f"{HEADER}\n{ROW}".encode("utf-32"), "is UTF-32"),
        (f"{HEADER}\n{ROW}".encode("utf-16")[:-1], "begins as UTF-16"),
    ],
)
def test_what_is_no_csv_is_refused_without_quoting_it(hostile, words):
    assert words in refused(hostile)[0]


def test_too_many_look_alikes_are_refused_because_one_sighting_would_take_too_long():
    rows = [ROW.replace("C-1", f"C-{number}") for number in range(1001)]
    assert "1001 entries look like one another" in refused("\n".join([HEADER, *rows]))[0]
    assert len(parse(*rows[:1000])) == 1000


def test_a_line_without_end_is_held_in_bounded_memory():
    chunks = [HEADER.encode() + b"\n", *[b"x" * (1 << 20)] * 8, b"\n" + ROW.encode() + b"\n"]
    blocks = list(line_blocks(chunks))
    lines = [line for _, block in blocks for line in block]
    assert (len(lines), lines[2]) == (3, ROW.encode())
    assert 4096 < len(lines[1]) <= 1 << 21


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_chunks_may_end_anywhere(size):
    text = f"\N{BYTE ORDER MARK}{HEADER}\r\n{ROW}\r\n\r\n{ROW}\n".encode()
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    numbered = [
        (first + offset, line)
        for first, block in line_blocks(pieces)
        for offset, line in enumerate(block)
    ]
    assert numbered == [(1, HEADER.encode()), (2, ROW.encode()), (3, b""), (4, ROW.encode())]


def test_confusable_groups_do_not_overlap_and_fold_to_their_first():
    characters = "".join(CONFUSABLE_GROUPS)
    assert len(set(characters)) == len(characters)
    assert set(characters) <= set(CHARACTERS)
    assert fold("O0QD-I1L-Z2-S5-G6-B8-ACEX") == "0000-111-22-55-66-88-ACEX"


@pytest.mark.parametrize(
    "text", ["0", "00", "A", "0A", "A0", "ZZZZZZZZZZZZ", "000000000000", "PWD7Q42"]
)
def test_a_text_and_its_key_are_the_same_thing(text):
    assert text_of(text_key(text)) == text
    assert text_key(text) < 1 << 64
    assert fold_key(text) == text_key(fold(text))
    assert fold_keys([text, "X", text]) == [fold_key(text), fold_key("X"), fold_key(text)]
    assert PlateText(text).value == text
    keys = np.array([text_key(one) for one in (text, "7", text, "ABCDEFGHIJ12")], np.uint64)
    assert texts_of(keys) == [text, "7", text, "ABCDEFGHIJ12"]
    assert texts_of(keys[:0]) == []


@pytest.mark.parametrize(
    "odd",
    [
        "A_B",
        "a1",
        "A 1",
        "1A-",
        "\N{LATIN CAPITAL LETTER A WITH DIAERESIS}1",
        "\N{FULLWIDTH DIGIT ONE}",
        "+1",
        "1" * 13,
    ],
)
def test_what_is_no_text_of_a_plate_is_refused_wherever_the_odd_character_stands(odd):
    with pytest.raises(ValueError, match="withheld"):
        PlateText(odd)


def test_a_plate_with_an_umlaut_is_listed_as_the_reader_tells_it():
    """One such row refused a whole list, while the camera read the plate without the mark."""
    found = parse(*(ROW.replace(PLATE, plate) for plate in ("GÖ-TX 101", "SÅÄ1", "B-XX 1")))
    for text in ("GOTX101", "SAA1", "BXX1"):
        assert len(found.texts(text)) == 1


def test_an_old_list_raises_nothing_and_one_from_the_future_neither():
    made = parse_hotlist(f"{HEADER}\n{ROW}".encode(), "hotlist.csv", TODAY, as_of=NOON)
    assert not made.stale(NOON)
    assert not made.stale(NOON + timedelta(hours=23, minutes=59))
    assert made.stale(NOON + timedelta(hours=24))
    assert not made.stale(NOON - timedelta(hours=23))
    assert made.stale(NOON - timedelta(hours=25))
