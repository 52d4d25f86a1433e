"""`hotlist audit`: an oversight board's numbers, out of a log that is proven first, no plate."""

import json
import sqlite3
from contextlib import closing

from agent.city.city_log import DATABASE, FOLDER
from tests.components.test_hotlist_command import MORE, PLATE, ROW, WHO, city, hotlist, source
from tests.components.test_two_hands import add, approve, hands

__all__ = ["city", "hands"]


def audited(city):
    return json.loads(hotlist("audit", "--city", city, "--json").stdout)


def acts(city, keys):
    """Ben adds two, Ada one; she signs one of his. One entry is withdrawn, one protected."""
    add(city, "--signing-key", keys["ben"])
    approve(city, keys["ada"])
    add(city, "--signing-key", keys["ben"], case="26-0002")
    add(city, "--signing-key", keys["ada"], case="26-0003")
    hotlist("remove", "--city", city, "--state", "US-CA", *WHO, "--case", "C-1", given=PLATE)
    protect = ("--category", "never-release", *MORE, *WHO, "--case", "C-5")
    hotlist("add", "--city", city, *protect, given=PLATE)


def test_who_added_most_and_what_nobody_else_signed(city, hands):
    acts(city, hands)
    told = audited(city)
    assert (told["added"], told["added_by_one_person_alone"]) == (3, 2)
    assert told["added_most_by"] == {"by": "ben", "added": 2}
    assert told["signed_together"] == [{"by": "ben", "approved_by": "ada", "number": 1}]
    people = {one["by"]: one for one in told["people"]}
    assert people["ada"] == {
        "by": "ada",
        "added": 1,
        "approved": 1,
        "withdrawn": 0,
        "protected": 0,
    }
    assert (people["clerk 7"]["withdrawn"], people["clerk 7"]["protected"]) == (1, 1)
    ((_, counted),) = told["acts_by_month"].items()
    assert counted == {"import": 1, "add": 3, "approve": 1, "withdraw": 1, "protect": 1}
    assert told["log"]["leaves"] == 7
    assert told["last_import"]["agencies"] == {"Town PD": 1}


def test_entries_whose_case_is_none_by_the_charters_form(city, hands):
    rows = [ROW, ROW.replace("7Q42", "7Q43"), ROW.replace("C-1", "26-0009")]
    hotlist("import", source(city, *rows), "--city", city)
    add(city, "--signing-key", hands["ada"])
    told = audited(city)
    assert told["imported_entries"] == 3
    assert told["cases"] == {
        "withheld": 0,
        "in_no_form": 0,
        "listed_in_no_form": 2,
        "shared": 2,
    }
    charter = city / "charter.toml"
    charter.write_text(charter.read_text().replace('case_forms = ["##-####"]\n', ""))
    assert audited(city)["cases"]["listed_in_no_form"] is None


def test_the_board_reads_it_in_words_and_learns_what_is_not_known_here(city, hands):
    acts(city, hands)
    said = " ".join(hotlist("audit", "--city", city).stdout.split())
    for words in (
        "7 acts, each as it was signed",
        "added by hand 3, of them 2 by one person alone",
        "1 added by ben, approved by ada",
        "in no form of the charter: 0 additions, 1 of the 1 imported entries",
        "not known here how often an entry was hit, and what came of it",
    ):
        assert words in said
    assert audited(city)["hits_without_outcome"] is None


def test_a_log_that_is_not_what_was_signed_gives_no_numbers(city, hands):
    with closing(sqlite3.connect(city / FOLDER / DATABASE)) as database:
        database.execute(
            "UPDATE leaf SET details = CAST(replace(details, 'import', 'immort') AS BLOB)"
        )
        database.commit()
    said = hotlist("audit", "--city", city, code=3)
    assert "is not what was signed" in said.stderr
    assert said.stdout == ""


def test_a_city_without_acts_is_told_what_begins_the_log(city):
    assert "begins the log" in hotlist("audit", "--city", city, code=2).stderr
    assert not (city / FOLDER).exists()
