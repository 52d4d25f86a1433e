"""The hot list lies beside the city's folder, never in it: whoever copies the folder for a signer
carries no plate, and no key that plates could be tried with. An older city's list goes on working.
"""

import shutil
import stat
import subprocess

import pytest

from agent.bundles.hotlist_file import beside, read_hotlist
from agent.city.city_log import FOLDER, KEY
from tests.components.test_hotlist_command import (
    MORE,
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

__all__ = ["city"]
PRIVATE = ("hotlist.bin", "hotlist-manual.json")
ADD = ("--category", "stolen-vehicle", *MORE, *WHO, "--case", "C-2")


def acted(city):
    """An import and an addition by hand."""
    cap(city, 3)
    hotlist("import", source(city, ROW), "--city", city)
    return hotlist("add", "--city", city, *ADD, given=PLATE)


def as_older_versions_left_it(city):
    """All in one folder."""
    for name in PRIVATE:
        (beside(city) / name).rename(city / name)
    (beside(city) / KEY).rename(city / FOLDER / KEY)
    beside(city).rmdir()


def test_a_copy_of_the_citys_folder_carries_no_plate_and_no_key(city, tmp_path):
    acted(city)
    shutil.copytree(city, tmp_path / "for-signers")
    names = [path.name for path in (tmp_path / "for-signers").rglob("*")]
    assert not [name for name in names if name in PRIVATE or name.endswith((".csv", ".key"))]
    assert {path.name for path in beside(city).iterdir()} == {*PRIVATE, KEY}
    assert stat.S_IMODE(beside(city).stat().st_mode) == 0o700
    assert listed(city) == ["C-1", "C-2"]


def test_the_folder_is_the_same_however_the_city_is_named(city, monkeypatch):
    acted(city)
    monkeypatch.chdir(city)
    assert "entries              2" in hotlist("show", "--city", ".").stdout
    link = city.with_name("shared")
    link.symlink_to(city)
    assert "entries              2" in hotlist("show", "--city", link).stdout


def test_an_older_citys_list_goes_on_working_and_each_command_tells_once_how_to_move_it(city):
    assert "lies in the city's folder" not in acted(city).stderr
    as_older_versions_left_it(city)
    said = hotlist("remove", "--city", city, "--state", "US-CA", *WHO, "--case", "C-2", given=PLATE)
    assert said.stderr.count("the hot list lies in the city's folder") == 1
    assert listed(city) == ["C-1"]
    assert not beside(city).exists()
    script = said.stderr.split("To move it: ", 1)[1].splitlines()[0]
    assert script.startswith(f"mkdir -p -m 700 {beside(city)} && mv ")
    moved(script)
    assert {path.name for path in beside(city).iterdir()} == {*PRIVATE, KEY}
    again = (*ADD[:-1], "C-3")
    said = hotlist("add", "--city", city, *again, given=PLATE)  # the log knows its files again
    assert "lies in the city's folder" not in said.stderr
    assert listed(city) == ["C-1", "C-3"]


def moved(script):
    subprocess.run(["/bin/sh", "-euc", script], check=True)


@pytest.mark.parametrize("left", PRIVATE)
def test_a_list_in_both_places_is_refused_and_nothing_is_changed(city, left):
    """A move that was cut short: half a list must not count as a list."""
    acted(city)
    as_older_versions_left_it(city)
    beside(city).mkdir()
    (city / left).rename(beside(city) / left)
    for words in (("show",), ("import", source(city, ROW)), ("audit",)):
        said = hotlist(*words, "--city", city, code=2)
        assert "city-hotlist" in said.stderr
        assert "lies in both" in said.stderr
    assert [path.name for path in beside(city).iterdir()] == [left]


def test_a_plain_list_at_either_place_is_read(city):
    (city / "hotlist.csv").write_text(source(city, ROW).read_text())
    assert len(read_hotlist(city, TODAY)) == 1
    beside(city).mkdir()
    (city / "hotlist.csv").rename(beside(city) / "hotlist.csv")
    assert len(read_hotlist(city, TODAY)) == 1
