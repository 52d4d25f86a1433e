"""Fixed-width records: codes, states, columns, what the record does not say, and what is broken in
one.
"""

from datetime import date

import pytest

from agent.core.hotlist.index import hotlist_of
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.core.hotlist.intake.ncic import CODES, STANDARD, STATES, Layout, parse_spans
from agent.errors import ConfigError, UsageError
from tests.support.judging import NOON, TODAY

RECORD = "V20261110PWD7Q42   CA20272019EXMAEXABLU"
ALL = frozenset(CODES.values())
LAYOUT = Layout(
    parse_spans(STANDARD), TODAY, agency="Example CJIS", case="X-2026-11-22", valid_days=2
)
ALLOWED = {"stolen-vehicle", "amber-alert"}


def parse(*records, layout=LAYOUT, allowed=ALL, end="\n", skip=False):
    source = Source([end.join([*records, ""]).encode()], "extract.txt", NOON, layout)
    done = import_list(source, allowed, TODAY, skip_bad_rows=skip)
    return hotlist_of(done.compiled, None), done.skipped_lines


def refused(*records):
    with pytest.raises(ConfigError) as caught:
        parse(*records)
    assert not any(part in str(caught.value) for part in ("PWD", "7Q42"))
    return str(caught.value).splitlines()[0]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_record_says_category_plate_state_and_date_and_the_importer_the_rest(end):
    found, _ = parse(RECORD, end=end)
    (entry,) = found.texts("PWD7Q42")
    assert (entry.state, entry.category, entry.agency, entry.case) == (
        "US-CA",
        "stolen-vehicle",
        "Example CJIS",
        "X-2026-11-22/20261110",
    )
    assert (entry.source_date, entry.expires, entry.vehicle_class) == (
        date(2026, 11, 10),
        date(2026, 11, 24),
        "",
    )


@pytest.mark.parametrize(("code", "category"), CODES.items())
def test_every_code_of_the_table(code, category):
    found, _ = parse(code + RECORD[1:])
    assert [entry.category for entry in found.texts("PWD7Q42")] == [category]


def test_a_code_that_is_not_in_the_table_is_dropped_and_counted_whatever_else_stands_there():
    found, _ = parse("I" + RECORD[1:], "X???", "Z20261110PWD7Q42   ??", RECORD, skip=True)
    assert (len(found), found.dropped) == (1, {"unknown": 2})


def test_no_code_means_immigration():
    assert not any("immigration" in category for category in CODES.values())


def test_a_category_that_the_charter_does_not_allow_never_enters():
    found, _ = parse(RECORD, "W" + RECORD[1:], allowed=ALLOWED)
    assert (len(found), found.dropped) == (1, {"wanted-person": 1})


@pytest.mark.parametrize(
    ("code", "state"),
    [
        ("CA", "US-CA"),
        ("NB", "US-NE"),
        ("NE", "US-NE"),
        ("NK", "CA-NB"),
        ("ON", "CA-ON"),
        ("PQ", "CA-QC"),
        ("DC", "US-DC"),
    ],
)
def test_states_are_those_of_ncic_not_of_iso(code, state):
    found, _ = parse(RECORD.replace("CA2027", f"{code}2027"))
    assert [entry.state for entry in found.texts("PWD7Q42")] == [state]


def test_no_two_places_share_a_code():
    assert len(STATES) == len(set(STATES))
    assert all(len(code) == 2 for code in STATES)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (RECORD[:20], "extract.txt:2: shorter than 21 columns"),
        (RECORD.replace("CA2027", "  2027"), "extract.txt:2: state: "),
        (RECORD.replace("CA2027", "QQ2027"), "extract.txt:2: state: "),
        (RECORD.replace("20261110", "20261310"), "extract.txt:2: source_date: must be a date"),
        (
            RECORD.replace("20261110", "20271110"),
            "extract.txt:2: source_date: in the future; this machine's date is",
        ),
        (RECORD.replace("PWD7Q42", "       "), "extract.txt:2: plate: "),
        (RECORD.replace("PWD7Q42", "PWD?Q42"), "extract.txt:2: plate: "),
        (RECORD.replace("PWD7Q42", "PWD\0Q42"), "extract.txt:2: plate: "),
        (
            RECORD.replace("PWD7Q42", "PWD\N{LATIN CAPITAL LETTER A WITH DIAERESIS}Q42"),
            "extract.txt:2: not ASCII",
        ),
        (RECORD + "x" * 5000, "extract.txt:2: longer than 4096 bytes"),
    ],
)
def test_a_broken_record_is_named_by_line_and_never_quoted(record, words):
    assert refused(RECORD, record, RECORD).startswith(words)


def test_an_old_theft_counts_as_expired():
    found, _ = parse(RECORD.replace("20261110", "20100101"), RECORD)
    assert (len(found), found.expired) == (1, 1)


def test_columns_can_be_named_also_agency_case_and_expiry():
    layout = Layout(
        parse_spans("state=1-2,plate=3-9,code=10,date=11-18,agency=19-27,case=28-35,expires=36-43"),
        TODAY,
    )
    found, _ = parse("CAPWD7Q42V20261110EX0010000EPD-0412" + "20261201", layout=layout)
    (entry,) = found.texts("PWD7Q42")
    assert (entry.agency, entry.case, entry.expires) == ("EX0010000", "EPD-0412", date(2026, 12, 1))


@pytest.mark.parametrize(
    "columns",
    [
        "",
        "code=1",
        "code=1,date=2-9,plate=19-10,state=20-21",
        f"{STANDARD},name=30-40",
        f"{STANDARD},plate=1-2",
        "code=0,date=2-9,plate=3-4,state=5-6",
    ],
)
def test_columns_that_make_no_sense_are_a_usage_error(columns):
    with pytest.raises(UsageError, match="--columns"):
        parse_spans(columns)
