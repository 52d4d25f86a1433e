"""`hotlist import` of lists that are not what they seem: told by line, never by value."""

import re
from pathlib import Path

import pytest

from agent.bundles.hotlist_file import beside
from agent.bundles.issuer_files import issuers_for
from agent.bundles.jurisdiction_files import available
from agent.core.hotlist.plausibility.of_rows.issuers import parse_issuers
from agent.errors import ConfigError
from tests.components.test_hotlist_command import (
    PLATE,
    ROW,
    TODAY,
    city,
    hotlist,
    listed,
    source,
)

__all__ = ["city"]


CHANGED = {
    "1.23E+08": "exponent",
    "1E+05": "exponent",
    "7.00E05": "exponent",
    "700123.0": "decimal",
    "7001.00": "decimal",
    "Mar-26": "date",
    "26-Mar": "date",
    "07-Okt-26": "date",
    "2026-03-01": "date",
    "2026-03-01 00:00:00": "date",
    "3/7/2026": "date",
}


def test_a_value_that_a_spreadsheet_changed_is_told_by_line(city: Path) -> None:
    """They became plates, such as 26MAR."""
    path = source(city, *many(*CHANGED))
    done = hotlist("import", path, "--city", city, code=2)
    for line, (value, kind) in enumerate(CHANGED.items(), 3):
        assert re.search(rf":{line}: plate: a (number with an? )?{kind}", done.stderr)
        assert value not in done.stdout + done.stderr
    hotlist("import", path, "--city", city, "--skip-bad-rows")
    assert listed(city) == ["C-1"]


def test_a_plate_like_a_date_or_a_number_is_taken(city: Path) -> None:
    plates = (
        "MAR-123",
        "MAR 1026",
        "1E5",
        "26-MARX",
        "12-34-57",
        "AB 10.20",
        "MAR2026",
        "MAR-2026",
    )
    hotlist("import", source(city, *many(*plates)), "--city", city)
    for number, plate in enumerate(plates, 3):
        assert f"C-{number}" in listed(city, re.sub("[^A-Z0-9]", "", plate))


WORDS = (
    *("NONE", "none", "N/A", "#N/A", "nan", "(none)", "NO PLATE", "NO-PLATE", "N0 PLATE"),
    *("UNKNOWN", "UNKN0WN", "Unknown 2", "UNK", "NOTAG", "TEMP", "PAPER", "TEMP TAG"),
    *("XXXXXXX", "xx", "X", "0", "000000", "TRUE", "NULL", "not available", "NO LICENSE PLATE"),
)


def many(*plates: str, state: str = "US-CA") -> list[str]:
    """A row for each, of another case, after a good one: their lines begin with 3."""
    rows = [ROW.replace("US-CA", state)]
    for number, plate in enumerate(plates, 3):
        rows.append(rows[0].replace(PLATE, plate).replace("C-1", f"C-{number}"))
    return rows


def test_a_word_for_no_plate_is_told_by_line(city: Path) -> None:
    """A vehicle without a plate would have been told for each of them."""
    path = source(city, *many(*WORDS))
    done = hotlist("import", path, "--city", city, code=2)
    assert re.findall(r":(\d+): plate: a word for", done.stderr) == [
        str(line) for line in range(3, 3 + len(WORDS))
    ]
    assert not re.search("UNKN|TAG|NULL|XX", done.stdout + done.stderr)
    hotlist("import", path, "--city", city, "--skip-bad-rows")
    assert listed(city) == ["C-1"]


def test_a_plate_that_is_such_a_word_is_taken_by_a_flag(city: Path) -> None:
    path = source(city, ROW.replace(PLATE, "No Plate"))
    done = hotlist("import", path, "--city", city, code=2)
    assert "--allow-no-plate-words" in done.stderr
    hotlist("import", path, "--city", city, "--allow-no-plate-words")
    assert listed(city, "NOPLATE") == ["C-1"]


def test_a_row_without_a_plate_says_so(city: Path) -> None:
    path = source(city, *many("-", "", " ", "?", "..."))
    done = hotlist("import", path, "--city", city, code=2)
    assert re.findall(r":(\d): plate: empty", done.stderr) == list("34567")


def test_plates_near_such_words_are_taken(city: Path) -> None:
    """Also words of another country's language."""
    near = ("NONE 42", "UNK 0001", "NA 12", "X0", "00X1", "TEMP7", "TESTA", "KEIN", "A", "1")
    hotlist("import", source(city, *many(*near)), "--city", city)
    for number, plate in enumerate(near, 3):
        assert listed(city, plate.replace(" ", "")) == [f"C-{number}"]


def test_words_are_those_of_the_jurisdiction(city: Path) -> None:
    jurisdiction(city, "DE-BY")
    given = ROW.replace("US-CA", "DE")
    for word in ("KEIN KENNZEICHEN", "Unbekannt", "NONE"):
        path = source(city, given.replace(PLATE, word))
        assert ":2: plate: a word" in hotlist("import", path, "--city", city, code=2).stderr
    hotlist("import", source(city, given.replace(PLATE, "NO TAG")), "--city", city)
    assert listed(city, "NOTAG") == ["C-1"]


def test_records_of_fixed_width_are_held_against_the_same_words(city: Path) -> None:
    """They went past the check for spreadsheets and words."""
    day = f"{TODAY:%Y%m%d}"
    records = [f"V{day}{plate:<10}CA" for plate in ("PWD7Q42", "NONE", "UNKNOWN", "N/A")]
    path = city.parent / "extract.txt"
    path.write_text("\r\n".join([*records, ""]), encoding="ascii")
    ncic = ("import", path, "--city", city, "--ncic", "--agency", "CJIS", "--case", "X-1")
    done = hotlist(*ncic, code=2)
    assert re.findall(r":(\d): plate: a word", done.stderr) == ["2", "3", "4"]
    hotlist(*ncic, "--skip-bad-rows")
    assert listed(city) == [f"X-1/{day}"]


NO_STATES = {
    "TX": "without its country; write US-TX",
    "QQ": "no such country",
    "ZZ": "no such country",
    "XX-999": "no such country",
    "UK": "no such country",
    "US-QQ": "US has no such state",
    "CA-CA": "CA has no such state",
    "MX-CM": "MX has no such state",
}
FOREIGN = {
    "CA": "CA alone is a country, the state is US-CA",
    "DE": "DE alone is a country, the state is US-DE",
    "GB": "lists of US hold no plates of GB",
    "DE-BY": "lists of US hold no plates of DE",
}


@pytest.mark.parametrize("states", [NO_STATES, FOREIGN], ids=["none", "far"])
def test_a_state_that_is_none_or_far_away_is_told_by_line(
    city: Path, states: dict[str, str]
) -> None:
    rows = [
        ROW.replace("US-CA", state).replace("C-1", f"C-{line}")
        for line, state in enumerate(states, 3)
    ]
    path = source(city, ROW, *rows)
    done = hotlist("import", path, "--city", city, code=2)
    for line, told in enumerate(states.values(), 3):
        assert f":{line}: state: {told}" in done.stderr
    assert ("--allow-foreign" in done.stderr) is (states is FOREIGN)
    allowed = ("import", path, "--city", city, "--allow-foreign")
    hotlist(*allowed, code=0 if states is FOREIGN else 2)
    assert (beside(city) / "hotlist.bin").exists() is (states is FOREIGN)


def test_states_that_lists_here_hold_are_taken(city: Path) -> None:
    states = ("US-CA", "US", "US-DC", "CA-ON", "MX-CMX", "MX")
    hotlist("import", source(city, *(ROW.replace("US-CA", one) for one in states)), "--city", city)
    assert len(listed(city)) == len(states)


def test_a_city_without_a_policy_takes_any_country_but_no_invented_one(city: Path) -> None:
    (city / "policy.toml").unlink()
    hotlist("import", source(city, ROW.replace("US-CA", "DE")), "--city", city)
    hotlist("import", source(city, ROW.replace("US-CA", "QQ")), "--city", city, code=2)


def test_an_older_list_than_the_one_held_is_asked_for(city: Path) -> None:
    """Yesterday's file, taken again, brought back cars that were found since."""
    path = source(city, ROW)
    as_of = ("import", path, "--city", city, "--as-of")
    hotlist(*as_of, f"{TODAY}T00:00:02Z")
    done = hotlist(*as_of, f"{TODAY}T00:00:01Z", code=2)
    assert "before the list that is held" in done.stderr
    assert "--allow-older" in done.stderr
    hotlist(*as_of, f"{TODAY}T00:00:02Z")
    hotlist(*as_of, f"{TODAY}T00:00:01Z", "--allow-older")


@pytest.mark.parametrize("name", ["world", "us", "de"])
def test_a_file_of_issuers_with_a_fault_says_so(name: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.toml:1: words: must be words of A-Z"):
        parse_issuers(f'words = ["{name}"]'.encode(), "x.toml")
    with pytest.raises(ConfigError, match=r"x\.toml:1: wods: unknown key"):
        parse_issuers(b'wods = ["NONE"]', "x.toml")


def test_every_jurisdiction_has_its_country_among_the_issuers() -> None:
    """Its country's plates are in its own lists, and its states are known where the profile is of
    a state.
    """
    for name in available():
        home, *states = name.upper().split("-")
        known = issuers_for(name.upper())
        assert home == "EU" or home in known.lists_hold, name
        assert known.lists_hold <= known.countries, name
        assert {"NONE", "UNKNOWN"} <= known.words, name
        assert not states or home not in known.states or states[0] in known.states[home], name


def jurisdiction(city: Path, code: str) -> None:
    """Make it the policy's."""
    path = city / "policy.toml"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'(?m)^jurisdiction = ".*"', f'jurisdiction = "{code}"', text))


@pytest.mark.parametrize("kind", ["unprotected", "lost_zeros", "returned", "twins", "of_one_case"])
def test_each_doubt_of_a_whole_list_reaches_the_command_and_has_its_flag(
    city: Path, kind: str
) -> None:
    """All kinds, from seeds: tests/unit/test_spoiled_lists.py."""
    two = ROW.replace(PLATE, "0704242")
    safe = ROW.replace("stolen-vehicle", "never-release").replace("C-1", "C-9")
    before, after, flag = {
        "unprotected": ([ROW, safe], [ROW], "unprotect"),
        "lost_zeros": ([ROW, two], [ROW, ROW.replace(PLATE, "704242")], "lost-zeros"),
        "returned": ([ROW], [ROW.replace("C-1", "C-2")], "returned"),
        "twins": ([ROW], [ROW, ROW.replace("PWD", "PW0")], "twins"),
        "of_one_case": (
            [ROW],
            [ROW.replace(PLATE, f"7TST{number:03}") for number in range(21)],
            "bulk",
        ),
    }[kind]
    hotlist("import", source(city, *before), "--city", city)
    if kind == "returned":
        remove = ("remove", "--city", city, "--state", "US-CA", "--by", "clerk 7")
        hotlist(*remove, "--why", "car found", given=PLATE)
    held = (beside(city) / "hotlist.bin").read_bytes()
    path = source(city, *after)
    done = hotlist("import", path, "--city", city, code=2)
    assert f"--allow-{flag}" in done.stderr
    assert (beside(city) / "hotlist.bin").read_bytes() == held
    hotlist("import", path, "--city", city, f"--allow-{flag}")
    assert (beside(city) / "hotlist.bin").read_bytes() != held


def test_a_list_that_is_still_held_as_withdrawn_needs_no_question(city: Path) -> None:
    hotlist("import", source(city, ROW), "--city", city)
    remove = ("remove", "--city", city, "--state", "US-CA", "--by", "clerk 7")
    hotlist(*remove, "--why", "car found", given=PLATE)
    hotlist("import", source(city, ROW), "--city", city)
    assert listed(city) == []


def test_a_damaged_list_is_not_replaced_without_a_word(city: Path) -> None:
    """Whose protections ended with it, nobody would know."""
    hotlist("import", source(city, ROW), "--city", city)
    data = bytearray((beside(city) / "hotlist.bin").read_bytes())
    data[-50] ^= 1
    (beside(city) / "hotlist.bin").write_bytes(data)
    done = hotlist("import", source(city, ROW), "--city", city, code=2)
    assert "--allow-unprotect" in done.stderr
    hotlist("import", source(city, ROW), "--city", city, "--allow-unprotect")
    assert listed(city) == ["C-1"]


def test_two_fields_in_one_column_are_refused(city: Path) -> None:
    """A plate read one column off began with the date's last digit."""
    columns = ("--ncic", "--columns", "code=1,date=2-9,plate=9-18,state=20-21")
    done = hotlist("import", source(city, ROW), "--city", city, *columns, code=2)
    assert "two fields stand in the same column" in done.stderr
