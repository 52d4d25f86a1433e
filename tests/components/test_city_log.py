"""The city's log: every act on the hot list is a leaf that `audit verify` proves, without a plate.
An act that is killed at any line is done with its leaf, or not done at all.
"""

import json
import os
import sqlite3
import sys
from contextlib import closing

import pytest

from agent.audit.log_verify import verify
from agent.audit.trusted_keys import keys_nearby
from agent.bundles.hotlist_file import beside
from agent.city.city_lock import only_writer
from agent.city.city_log import DATABASE, FOLDER, city_log
from agent.errors import PolicyRefusedError
from tests.components.test_hotlist_command import (
    MORE,
    PLATE,
    ROW,
    WHO,
    cap,
    city,
    hotlist,
    listed,
    source,
)

__all__ = ["city"]
ADD = ("--category", "stolen-vehicle", *MORE, *WHO)


def leaves(city):
    """The details of all leaves, in order; the log is proven first."""
    report = verify(city / FOLDER, keys_nearby(city / FOLDER))
    assert report.faults == ()
    with closing(sqlite3.connect(city / FOLDER / DATABASE)) as database:
        rows = database.execute("SELECT details FROM leaf ORDER BY n").fetchall()
    return [json.loads(details) for (details,) in rows]


def add(city, case="C-2", code=0):
    return hotlist("add", "--city", city, *ADD, "--case", case, given=PLATE, code=code)


def remove(city, *more):
    return hotlist("remove", "--city", city, "--state", "US-CA", *WHO, *more, given=PLATE)


def test_who_added_and_withdrew_which_case_is_proven_and_no_plate_is_in_the_log(city):
    cap(city, 3)
    hotlist("import", source(city, ROW), "--city", city)
    add(city)
    remove(city, "--case", "C-2")
    told = leaves(city)
    assert [one["act"] for one in told] == ["import", "add", "withdraw"]
    added, withdrawn = told[1:]
    assert (added["by"], added["why"], added["case"]) == ("clerk 7", "reported at the desk", "C-2")
    assert (withdrawn["by"], withdrawn["number"]) == ("clerk 7", 1)
    assert withdrawn["entries"][0]["entry"] == added["entry"]  # which one, for this city alone
    for path in (city / FOLDER).iterdir():
        assert b"7Q42" not in path.read_bytes().upper(), path.name


def test_a_log_that_begins_before_the_city_is_founded_bears_its_charters_name(city):
    hotlist("import", source(city, ROW), "--city", city)
    report = verify(city / FOLDER, keys_nearby(city / FOLDER))
    assert report.origin == "platewarden/exampleville-council-charter-for-licence-plate-c/city"


def test_a_protection_is_told_as_one_and_so_is_its_end(city):
    hotlist("import", source(city, ROW), "--city", city)
    protect = ("--category", "never-release", *MORE, *WHO, "--case", "C-5")
    hotlist("add", "--city", city, *protect, given=PLATE)
    remove(city, "--protection", "--case", "C-5")
    assert [one["act"] for one in leaves(city)] == ["import", "protect", "unprotect"]


def test_an_import_is_told_in_numbers_under_a_key(city):
    rows = [ROW.replace("C-1", f"C-{n}").replace("7Q42", f"7Q4{n}") for n in range(5)]
    shifted = ROW.replace("Town PD", "PWD7Q42").replace("C-1", "C-9")
    dropped = ROW.replace("stolen-vehicle", "immigration-violator")
    hotlist("import", source(city, *rows, shifted, dropped), "--city", city)
    (told,) = leaves(city)
    assert told["categories"] == {"stolen-vehicle": 6}
    assert told["agencies"] == {"Town PD": 5, "others": 1}  # what may be a plate is not named
    assert told["refused"]["categories"] == {"immigration-violator": 1}
    assert "7Q42" not in json.dumps(told).upper()


def test_a_case_that_holds_the_plate_is_withheld(city):
    hotlist("import", source(city, ROW.replace("C-1", "PWD-7Q42")), "--city", city)
    remove(city)
    assert leaves(city)[1]["entries"][0]["case"] == "withheld: it holds the plate"


def test_a_file_that_was_changed_past_the_log_is_refused(city):
    cap(city, 3)
    hotlist("import", source(city, ROW), "--city", city)
    remove(city)
    manual = beside(city) / "hotlist-manual.json"
    whole = manual.read_bytes()
    for spoil in (lambda: manual.write_bytes(b'{"v": 1, "acts": []}'), manual.unlink):
        spoil()
        with (
            only_writer(city),
            city_log(city) as log,
            pytest.raises(PolicyRefusedError, match="not the file that the city's log") as caught,
        ):
            log.require_as_logged()
        assert caught.value.reason == "hotlist-not-as-logged"
        manual.write_bytes(whole)
    with only_writer(city), city_log(city) as log:
        log.require_as_logged()


def killed(at, act):
    """Run an act in a child that is killed at the `at`-th line of what writes; False: it ended."""
    files = ("city_log.py", "audit_log.py", "atomic_file.py", "hotlist_files.py")
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1] != 0
    left = [at]

    def line(frame, event, _argument):
        if not frame.f_code.co_filename.endswith(files):
            return None
        left[0] -= event == "line"
        if left[0] < 0:
            os._exit(9)
        return line

    sys.settrace(line)
    try:
        act()
    finally:
        os._exit(0)
    return None


def test_killed_at_any_line_an_act_is_done_with_its_leaf_or_not_at_all(city):
    hotlist("import", source(city, ROW), "--city", city)
    cap(city, 1000)
    at, seen = 0, set()
    while True:
        case, before = f"K-{at}", len(leaves(city))
        ended = not killed(at, lambda case=case: add(city, case))
        with only_writer(city), city_log(city) as log:  # the next command finishes it
            log.require_as_logged()
        told = leaves(city)
        done = case in listed(city)
        assert done == any(one.get("case") == case for one in told)
        assert len(told) == before + done
        assert not list(city.glob(".*"))
        seen.add(done)
        if ended:
            break
        at += 5
    assert seen == {True, False}
