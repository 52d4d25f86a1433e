"""Spoiled lists as a hostile clerk gives them to `hotlist import`: new members of each kind, none
of them in the cases that began it. Each is told by line or as a whole; none is taken silently.
"""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from agent.bundles.hotlist_file import beside
from tests.components.test_hotlist_command import (
    DATES,
    PLATE,
    ROW,
    TODAY,
    WHO,
    cap,
    city,
    hotlist,
    listed,
    source,
)
from tests.components.test_hotlist_plausibility import jurisdiction, many
from tests.support.judging import HEADER

__all__ = ["city"]

SAFE = ROW.replace("stolen-vehicle", "never-release").replace("C-1", "C-9")


def told_at_each(city: Path, values: list[str], words: str, **more: str) -> None:
    """Each value's own line is told in these words, without the value."""
    done = hotlist("import", source(city, *many(*values, **more)), "--city", city, code=2)
    told = {int(line) for line in re.findall(rf":(\d+): {words}", done.stderr)}
    missing = {value for line, value in enumerate(values, 3) if line not in told}
    assert not missing, done.stderr
    assert not (beside(city) / "hotlist.bin").exists()
    faults = done.stderr.splitlines()
    assert len(faults) >= len(values)
    assert all(line.startswith("platewarden: ") for line in faults), "a line each"
    for value in values:
        assert value.islower() or len(value) < 4 or value not in done.stderr


DATES_SURE = [
    *("03.05.2026", "3.5.2026", "05-03-2026", "2026.03.05", "2026/03/05", "2026-3-5", "5/3/26"),
    *("3/2026", "3/5", "5.3.", "March 5", "5 March 2026", "5-Ene", "Gen-26", "26-Mrt", "Fev-05"),
    *("Ago-26", "5. Dic", "05-Mars-26", "Out 2026", "Set-26", "Lug-26", "Mei-26"),
]


def test_dates_of_other_locales_are_told(city: Path) -> None:
    told_at_each(city, DATES_SURE, "plate: a date")


LIKE_DATES = [
    *("MAR-05", "05-MAR-26", "5-mar", "mar-05", "JAN 26", "07-DEZ", "05-03-26"),
    *("26.03.05", "31-12-99", "26-MAR", "jan.26", "12-AUG-2026"),
]


def test_what_reads_like_a_date_is_asked_for_by_a_flag(city: Path) -> None:
    """An agency's database writes in capitals; a real plate can read like this."""
    told_at_each(city, LIKE_DATES, "plate: reads like a date")
    path = source(city, *many(*LIKE_DATES))
    assert "--allow-dates" in hotlist("import", path, "--city", city, code=2).stderr
    hotlist("import", path, "--city", city, "--allow-dates")
    assert listed(city, "MAR05") == ["C-3", "C-6"]


def test_other_traces_of_a_spreadsheet_are_told(city: Path) -> None:
    values = [
        *("-1234567", "-42.0", "1,23E+05", "1.23457E6", "#BEZUG!", "#WERT!", "#¡REF!", "#CALC!"),
        *("'1ABC234", "+1234567", "@SUM(A1)", "=1+1", "12%", "€1234", "$1.234,00", "(1234)"),
        *(
            "½",
            "1.234.567,0",
            "Err:502",
            "１２３４５６７",
            "12\u00a034",
            "AB\u00ad12",
            "\ufeff7TST",
        ),
        *("12:30", "7TSTОО1", "7TST\u200b01"),
    ]
    quoted = [f'"{value}"' if "," in value else value for value in values]
    told_at_each(city, quoted, "plate: ")


CASES = ["26-Jan", "Jan-26", "01-Mar-26", "26.0", "1201.00", "2.6E07", "MAR-26", "5-ene", "26 Dez"]


def test_a_case_number_that_a_spreadsheet_changed_is_told(city: Path) -> None:
    """Fifty cases of a month would have become one, that nobody could look up."""
    rows = [ROW, *(ROW.replace("C-1", case) for case in CASES)]
    done = hotlist("import", source(city, *rows), "--city", city, code=2)
    told = re.findall(r":(\d+): case: (?:a date|a number|reads like a date)", done.stderr)
    assert told == [str(line) for line in range(3, 3 + len(CASES))]


def test_case_numbers_as_agencies_have_them_are_taken(city: Path) -> None:
    good = ("26-000123", "2026-11-20", "20.11.2026/4", "MAR-26-001", "A.1", "26/5", "1E5", "DEC-1A")
    rows = [ROW.replace("C-1", case) for case in good]
    hotlist("import", source(city, *rows), "--city", city)
    assert sorted(listed(city)) == sorted(good)


WORDS_US = [
    *("sin placa", "SIN PLACAS", "desconocido", "not found", "NO RECORD", "NOT ON FILE", "no hit"),
    *("UNKNOWN PLATE 2", "NOTAVAILAB", "UNREGISTE", "NOTDISPLAYE", "see narrative", "SEE NOTES"),
    *("fake plate", "PARTIAL", "9999999", "999999", "ABC1234", "1234567", "ABC 123", "n/k", "U/K"),
    *("no lp", "not reported", "not provided", "invalid", "test 123", "Test1", "BLANK PLATE"),
    *("DUMMY1", "plates removed", "redacted", "other", "VARIOUS", "TBC", "not readable"),
]
WORDS_DE = [
    *("k.A.", "keine Angabe", "ohne Angabe", "N.N.", "o. Kz.", "kein Kfz", "unleserlich", "n.b."),
    *("nicht vorhanden", "nicht lesbar", "gestohlen", "abgemeldet", "Überführung", "unbekannt 2"),
]


@pytest.mark.parametrize(("code", "words"), [("US-CA", WORDS_US), ("DE-BY", WORDS_DE)])
def test_other_words_for_no_plate_are_told(city: Path, code: str, words: list[str]) -> None:
    jurisdiction(city, code)
    state = code if code == "US-CA" else "DE"
    told_at_each(city, words, 'plate: a word for "no plate"', state=state)


def test_states_that_are_none_are_told(city: Path) -> None:
    values = [
        *("Calif", "California", "US-California", "us-ca", "USCA", "US_CA", "US CA", "U.S.-CA"),
        *("CA-US", "USA-CA", "US-CAL", "D", "GER", "UK", "EU", "UN", "US-00", "US-", "-CA", "XX"),
        *("ＵＳ-ＣＡ", "US-CA ", "N/A", "none", "0", "null", "06", "US-XX", "MX-XXX", "CA-QB"),
    ]
    rows = [ROW, *(ROW.replace("US-CA", value) for value in values)]
    done = hotlist("import", source(city, *rows), "--city", city, code=2)
    told = {int(line) for line in re.findall(r":(\d+): state: ", done.stderr)}
    assert not [value for line, value in enumerate(values, 3) if line not in told]


NEARLY = [
    *("never_release", "neverrelease", "never-realease", "never-releas", "Never-Release", "neverr"),
    *("never-release-list", "never release", "never-relase", "do-never-release"),
]


def test_a_category_that_is_nearly_the_protecting_one_is_told(city: Path) -> None:
    """It was dropped and counted, and whoever should be protected was not."""
    rows = [ROW, *(SAFE.replace("never-release", one) for one in NEARLY)]
    done = hotlist("import", source(city, *rows), "--city", city, code=2)
    told = {int(line) for line in re.findall(r":(\d+): category: ", done.stderr)}
    assert not [one for line, one in enumerate(NEARLY, 3) if line not in told], done.stderr


def before_and_after(city: Path, before: list[str], after: list[str], flag: str) -> str:
    """The second list is refused, and taken with the flag."""
    hotlist("import", source(city, *before), "--city", city)
    held = (beside(city) / "hotlist.bin").read_bytes()
    path = source(city, *after)
    done = hotlist("import", path, "--city", city, code=2)
    assert f"--allow-{flag}" in done.stderr, done.stderr
    assert (beside(city) / "hotlist.bin").read_bytes() == held
    hotlist("import", path, "--city", city, f"--allow-{flag}")
    return done.stderr


def numbered(count: int, agency: str = "Town PD", mark: str = "A") -> list[str]:
    """Entries of one agency, each with a case and a day of its own."""
    return [
        ROW.replace(PLATE, f"7TST{mark}{at:03}")
        .replace("C-1", f"{mark}-{at}")
        .replace("Town PD", agency)
        .replace(DATES, f"{TODAY - timedelta(days=at % 40)},{TODAY + timedelta(days=20)}")
        for at in range(count)
    ]


@pytest.mark.parametrize("part", ["agency", "category"])
def test_a_part_of_the_list_that_is_missing_whole_is_told(city: Path, part: str) -> None:
    """One of the agency's two files had not come; the rest was more than half."""
    kept = numbered(60)
    gone = numbered(30, "County SO" if part == "agency" else "Town PD", "B")
    if part == "category":
        gone = [row.replace("stolen-vehicle", "amber-alert") for row in gone]
    told = before_and_after(city, kept + gone, kept, "shrink")
    assert "none of the 30 entries" in told


def test_a_list_that_grew_out_of_all_measure_is_told(city: Path) -> None:
    told = before_and_after(city, numbered(100), numbered(1000) + numbered(1, mark="Z"), "bulk")
    assert "grew from 100 to 1001 entries" in told


@pytest.mark.parametrize(
    "instead",
    [
        [],
        [SAFE.replace("never-release", "stolen-vehicle")],
        [SAFE.replace("US-CA", "US-NV")],
        [SAFE.replace(PLATE, "PWD 7Q43")],
        [SAFE.replace("PWD", "PW0")],
        [SAFE.replace(DATES, f"{TODAY - timedelta(days=3)},{TODAY + timedelta(days=19)}")],
        [SAFE.replace(DATES, f"{TODAY - timedelta(days=9)},{TODAY}")],
        [SAFE + ",truck"],
        [SAFE + ",truck", SAFE + ",bus"],
        [SAFE.replace("US-CA", "MX")],
    ],
)
def test_a_protection_that_would_end_is_told(city: Path, instead: list[str]) -> None:
    header = f"{HEADER},class"

    def with_class(rows: list[str]) -> list[str]:
        return [row if row.count(",") == 7 else f"{row}," for row in rows]

    hotlist("import", source(city, *with_class([ROW, SAFE]), header=header), "--city", city)
    path = source(city, *with_class([ROW, *instead]), header=header)
    done = hotlist("import", path, "--city", city, code=2)
    assert "--allow-unprotect" in done.stderr


@pytest.mark.parametrize(
    "row",
    [
        ROW.replace("C-1", "C-2"),
        ROW.replace("Town PD", "County SO"),
        ROW.replace("stolen-vehicle", "amber-alert"),
        ROW.replace("US-CA", "US"),
        ROW.replace("US-CA", "US").replace("C-1", "C-2"),
        ROW.replace("PWD", "PW0"),
        ROW.replace("7Q42", "7O42"),
        ROW.replace("7Q42", "7Q4Z").replace("US-CA", "US"),
    ],
)
def test_a_car_that_was_found_comes_back_under_another_name(city: Path, row: str) -> None:
    """Also as a look-alike of the same case, and where only the country is named."""
    hotlist("import", source(city, ROW, *numbered(3)), "--city", city)
    remove = ("remove", "--city", city, "--state", "US-CA", "--by", "clerk 7")
    hotlist(*remove, "--why", "car found", given=PLATE)
    path = source(city, row, *numbered(3))
    assert "--allow-returned" in hotlist("import", path, "--city", city, code=2).stderr


def test_agency_and_case_in_each_others_column_are_told(city: Path) -> None:
    swapped = [row.replace("Town PD", "x").replace(f"A-{at}", "Town PD").replace("x", f"A-{at}")
               for at, row in enumerate(numbered(30))]  # fmt: skip
    done = hotlist("import", source(city, *swapped), "--city", city, code=2)
    assert "--allow-columns" in done.stderr
    hotlist("import", source(city, *swapped), "--city", city, "--allow-columns", "--allow-bulk")


def test_plate_and_case_in_each_others_column_are_told(city: Path) -> None:
    """Every plate stood where cases are printed."""
    rows = [f"26-{1000 + at},US-CA,stolen-vehicle,Town PD,7TST{at:03},{DATES}" for at in range(30)]
    done = hotlist("import", source(city, *rows), "--city", city, code=2)
    assert "--allow-columns" in done.stderr
    assert "7TST" not in done.stderr


OTHER = "case,agency,plate,state,category,source_date,expires"


def test_two_files_in_one_are_read_or_told(city: Path) -> None:
    """A second header of other columns put each value under another name."""
    hotlist("import", source(city, ROW, HEADER, ROW.replace("C-1", "C-2")), "--city", city)
    assert listed(city) == ["C-1", "C-2"]
    hotlist("import", source(city, ROW, HEADER.upper(), ROW), "--city", city, "--allow-shrink")
    mixed = source(city, ROW, OTHER, f"C-2,Town PD,{PLATE},US-CA,stolen-vehicle,{DATES}")
    done = hotlist("import", mixed, "--city", city, code=2)
    assert re.search(r":3: a second header, with other columns", done.stderr), done.stderr


def test_forms_of_other_programs_are_read(city: Path) -> None:
    rows = [HEADER, ROW]
    path = city.parent / "agency.csv"
    semicolons = "\r\n".join(rows).replace(",", ";")
    for text, encoding in (
        (f"SEP=;\r\n{semicolons}", "utf-8"),
        (f"Sep=;\r\n{semicolons}", "utf-16"),
        (f'"sep=;"\r\n{semicolons}', "utf-8-sig"),
        ("\r".join(rows), "utf-8"),
        ("\n".join(rows).replace(",", "\t"), "utf-16-le"),
        ("\n".join(rows).replace(",", "|") + "\n\n|||||||\n\x1a", "utf-8"),
        ("\n".join(rows).replace(",", '","').replace("\n", '"\n"').join('""'), "utf-8"),
        ("\n".join(rows).replace("source_date", " Source Date "), "utf-8"),
        ("\n".join(rows).replace(PLATE, "pwd7q42"), "utf-8"),
        ("\n\n \t\n".join(rows) + "\n , , , \n", "utf-8"),
    ):
        path.write_bytes(text.encode(encoding))
        hotlist("import", path, "--city", city)
        assert listed(city) == ["C-1"], (text[:9], encoding)


@pytest.mark.parametrize(
    "data",
    [
        f"{HEADER}\n{ROW}\n".replace(",", ":").encode(),
        f"{HEADER}\n{ROW}\n".replace(",", "^").encode(),
        f"{HEADER}\n{ROW}\n".replace(",", "   ").encode(),
        f"{HEADER}\n{ROW}\n".encode("utf-32"),
        f"{HEADER}\n{ROW.replace(PLATE, 'GÖ TX 101')}\n".encode("latin-1"),
        f"{HEADER}\n{ROW.replace(PLATE, 'ẞ TX 101')}\n".encode(),
        f"{HEADER}\n{ROW.replace(PLATE, 'Ё 123')}\n".encode(),
        f"{HEADER.replace('plate', 'tag')}\n{ROW}\n".encode(),
        f"{HEADER},notes\n{ROW},blue\n".encode(),
        f"{HEADER}\n{ROW},\n".encode(),
        f"{HEADER}\n{ROW.replace(',', ';')}\n".encode(),
        f"{HEADER}\n\u00a0\n{ROW}\n".encode(),
        b"PK\x03\x04" + bytes(range(200)),
        b"\xd0\xcf\x11\xe0" + bytes(500),
        b'{"plates": []}\n',
        b"<html><table><tr><td>plate</td></tr></table></html>",
        b"\x1f\x8b\x08" + bytes(90),
    ],
)
def test_what_is_no_such_list_is_named_for_it(city: Path, data: bytes) -> None:
    path = city.parent / "agency.csv"
    path.write_bytes(data)
    assert hotlist("import", path, "--city", city, code=2).stderr.count("platewarden: ") == 1


DAY = f"{TODAY:%Y%m%d}"
RECORD = f"V{DAY}PWD7Q42   CA"
NCIC = ("--ncic", "--agency", "CJIS", "--case", "X-1")


@pytest.mark.parametrize(
    "lines",
    [
        [RECORD, f" {RECORD}"],
        [RECORD, RECORD[1:]],
        [RECORD, f"V{TODAY:%m%d%Y}PWD7Q42   CA"],
        [RECORD, f"V{TODAY:%d%m%Y}PWD7Q42   CA"],
        [RECORD, f"V{TODAY:%y%m%d}PWD7Q42     CA"],
        [RECORD, RECORD[:15]],
        [RECORD, RECORD.replace("CA", "MX")],
        [RECORD, RECORD.replace("CA", "ZZ")],
        [RECORD, f"V{DAY}05-MAR-26 CA"],
        [RECORD, f"V{DAY}1.2E+05   CA"],
        [RECORD, f"V{DAY}UNKNOWN01 CA"],
        [RECORD, f"V{DAY}          CA"],
        [RECORD, "TRL0000123"],
        [RECORD, f"V\t{DAY}\tPWD7Q42\tCA"],
        [RECORD, RECORD.replace("7Q42", "7Ö42")],
        [HEADER, ROW],
        [ROW, ROW],
        [ROW.replace(",", ";")] * 3,
        [ROW.replace(",", "\t")] * 3,
        [f"00{RECORD}"] * 9,
    ],
)
def test_records_that_are_none_are_told(city: Path, lines: list[str]) -> None:
    path = city.parent / "extract.txt"
    path.write_text("\r\n".join([*lines, ""]), encoding="utf-8")
    hotlist("import", path, "--city", city, *NCIC, code=2)
    assert not (beside(city) / "hotlist.bin").exists()


BY_HAND = [
    ("NO TAG", "US-CA", "C-1", "no-plate-words"),
    ("MAR-26", "US-CA", "C-1", "dates"),
    ("7TST001", "US-CA", "Jan-26", "dates"),
    ("7TST001", "CA", "C-1", "foreign"),
    ("7TST001", "FR", "C-1", "foreign"),
    ("7TST001", "QQ", "C-1", ""),
    ("7TST001", "TX", "C-1", ""),
    ("7TST001", "US-QQ", "C-1", ""),
    ("26-Mar", "US-CA", "C-1", ""),
    ("1.2E+05", "US-CA", "C-1", ""),
]


@pytest.mark.parametrize(("plate", "state", "case", "flag"), BY_HAND)
def test_a_plate_by_hand_is_doubted_as_an_import_is(
    city: Path, plate: str, state: str, case: str, flag: str
) -> None:
    cap(city, 3)
    words = ("--agency", "Town PD", "--expires", "9d", "--category", "stolen-vehicle", *WHO)
    add = ("add", "--city", city, "--state", state, "--case", case, *words)
    said = hotlist(*add, given=plate, code=2).stderr
    assert (f"--allow-{flag}" in said) if flag else ("--allow" not in said)
    assert plate not in said
    if flag:
        hotlist(*add, f"--allow-{flag}", given=plate)
