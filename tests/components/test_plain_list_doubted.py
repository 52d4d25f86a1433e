"""A plain `hotlist.csv`, which nobody imported, is doubted row by row as an import is: at a camera
a row costs itself and is told by line, but the list where it may protect; a desk asks a person.
"""

import json

import pytest

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import beside, read_hotlist
from agent.core.log.leaf import LeafKind
from agent.settings import load
from agent.sides.camera_orders import unsigned_orders
from tests.components.test_hotlist_command import ROW, TODAY, city, hotlist
from tests.components.test_two_hands_obeyed import Log, rig
from tests.support.judging import HEADER

__all__ = ["city", "rig"]
DOUBTED = {
    "a spreadsheet's date": ROW.replace("PWD 7Q42", "2024-05-12"),
    "words for no plate": ROW.replace("PWD 7Q42", "NO TAG"),
    "a state that is none": ROW.replace("US-CA", "US-QQ"),
}


def plain(city, *rows):
    beside(city).mkdir(exist_ok=True)
    (beside(city) / "hotlist.csv").write_text("\n".join([HEADER, *rows, ""]))


@pytest.mark.parametrize("what", DOUBTED)
def test_a_doubted_row_costs_itself_and_is_told_by_line(city, what):
    plain(city, ROW, DOUBTED[what], ROW.replace("C-1", "C-2"))
    listed = read_hotlist(city, TODAY)
    assert (len(listed), listed.doubted_lines) == (2, (3,))
    assert json.loads(hotlist("show", "--city", city, "--json").stdout)["doubted_lines"] == [3]


BROKEN = {
    "a date": ROW.replace(str(TODAY)[:4], "year"),
    "a plate": ROW.replace("PWD 7Q42", "=A1"),
    "both": DOUBTED["words for no plate"].replace(str(TODAY)[:4], "year"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_row_costs_itself(city, what):
    """It refused the whole list, and nothing was looked for."""
    plain(city, ROW, BROKEN[what], ROW.replace("C-1", "C-2"))
    listed = read_hotlist(city, TODAY)
    assert (len(listed), listed.doubted_lines) == (2, (3,))


SAFE = ROW.replace("stolen-vehicle", "never-release")


@pytest.mark.parametrize(
    "row",
    [
        SAFE.replace(str(TODAY)[:4], "year"),
        SAFE.replace("PWD 7Q42", "=A1"),
        SAFE.replace("never-release", "never-releas"),
        SAFE.replace("never-release", "Never Release"),
        SAFE.rsplit(",", 1)[0],
        ROW.rsplit(",", 1)[0],
        f"{SAFE},",
        SAFE.replace("Town PD", "Town, PD"),
    ],
)
def test_a_broken_row_that_may_protect_refuses_the_list(city, row):
    """Without it somebody protected would be told."""
    plain(city, ROW, row)
    assert ":3: " in hotlist("show", "--city", city, code=2).stderr


def test_a_protection_that_is_doubted_protects_all_the_same(city):
    """A protected vanity plate was left out for reading like a word, and would have been told."""
    plain(city, ROW, SAFE.replace("PWD 7Q42", "NO TAG"), SAFE.replace("PWD 7Q42", "MAR-26"))
    listed = read_hotlist(city, TODAY)
    assert (len(listed), listed.doubted_lines) == (3, ())


def test_the_jurisdiction_is_that_of_the_policy(city):
    """A state of another country is doubted in one, and not in the other."""
    row = ROW.replace("US-CA", "DE-BE")
    plain(city, ROW, row)
    assert read_hotlist(city, TODAY).doubted_lines == (3,)
    policy = city / "policy.toml"
    policy.write_text(policy.read_text().replace('jurisdiction = "US-CA"', 'jurisdiction = "DE"'))
    assert read_hotlist(city, TODAY).doubted_lines == (2,)


def test_a_camera_logs_the_lines_and_no_plate(rig):
    folder = rig.installation.work / "city"
    row = ROW.replace("PWD 7Q42", "1.23E+05")
    plain(folder, ROW, row)
    settings, log = load(rig.installation.settings), Log()
    policy, _ = CityFolder(settings.city).obeyed()
    assert len(unsigned_orders(settings, policy, TODAY, log).hotlist) == 1
    ((kind, told),) = log.told
    assert (kind, told["reason"]) == (LeafKind.REFUSAL, "hotlist-row-doubted")
    assert "line 3;" in told["what"]
    assert "1.23E" not in str(told)


def test_import_takes_the_jurisdiction_of_the_policy_in_force(open_desk):
    """A draft that names another one must not let the wrong country's plates in."""
    open_desk.edit("policy.toml", 'jurisdiction = "US-CA"', 'jurisdiction = "DE"')
    agency = open_desk.folder / "agency.csv"
    for state, code in (("DE-BE", 2), ("US-CA", 0)):
        agency.write_text(f"{HEADER}\n{ROW.replace('US-CA', state)}\n")
        done = open_desk.run("hotlist", "import", agency, "--city", open_desk.city, on="")
        assert done.code == code, done.err


def test_publish_asks_a_person_about_a_doubted_row(open_desk):
    path, _ = open_desk.enrol()
    enrol = ("--enrol", path, "--roster-key", open_desk.key("roster"))
    file = ("--passphrase-file", open_desk.folder / "passphrase")
    for who, more in (("dora", (*enrol, *file)), ("eli", ())):
        assert open_desk.sign(who, *more).code == 0
    assert open_desk.publish().code == 0
    (open_desk.lists / "hotlist.csv").write_text(f"{HEADER}\n{DOUBTED['words for no plate']}\n")
    key = ("--key", open_desk.key("list"), "--online-key", open_desk.key("daily"))
    done = open_desk.run("hotlist", "publish", "--city", open_desk.city, *key)
    assert done.code == 2
    assert "hotlist.csv:2: plate" in done.err
