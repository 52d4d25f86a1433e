"""The hotspot: walled before it opens, gone after it, honest where a program is missing, silent
about its password.

And the label.
"""

import xml.etree.ElementTree as ET

import pytest

from agent.aim import hotspot as module
from agent.aim.hotspot import CONNECTION, Done, Hotspot, run_program
from agent.aim.label import draw, keep_label, load_label, new_label
from agent.errors import EnvelopeRefusedError, PlatewardenError, StorageError

PASSWORD = "hunter2hunter2"


class Programs:
    """Stands in for nmcli and nft. `fails`: the first argument list that begins so ends with 10."""

    def __init__(self, fails=()):
        self.fails, self.ran = fails, []

    def __call__(self, arguments, told):
        self.ran.append((" ".join(arguments), told))
        if self.fails and list(arguments[: len(self.fails)]) == list(self.fails):
            return Done(10, f"Error: no device; {PASSWORD}")
        return Done(0, "")

    def words(self):
        return [words for words, _told in self.ran]


@pytest.fixture(autouse=True)
def profiles(tmp_path, monkeypatch):
    """NetworkManager's folder, elsewhere."""
    monkeypatch.setitem(globals(), "PROFILES", tmp_path / "profiles")
    return tmp_path / "profiles"


def spot(run, password=PASSWORD):
    return Hotspot("wlan0", "platewarden-cam-1", password, run, globals()["PROFILES"])


def test_the_wall_stands_before_the_hotspot_opens_and_falls_after_it(profiles):
    programs = Programs()
    hotspot = spot(programs)
    hotspot.open()
    opened = [words.split()[:4] for words in programs.words()[2:]]
    assert opened == [
        ["nft", "-f", "-"],
        ["nmcli", "connection", "load", str(profiles / f"{CONNECTION}.nmconnection")],
        ["nmcli", "connection", "up", CONNECTION],
    ]
    assert 'iifname "wlan0" drop' in programs.ran[2][1]
    profile = profiles / f"{CONNECTION}.nmconnection"
    assert "autoconnect=false" in profile.read_text(), "no boot opens it by itself"
    assert profile.stat().st_mode & 0o777 == 0o600
    programs.ran.clear()
    assert hotspot.close() == []
    assert programs.words() == [f"nmcli connection delete {CONNECTION}", "nft -f -"]
    assert not profile.exists()


def test_the_password_is_in_no_argument_list(profiles):
    programs = Programs()
    spot(programs).open()
    assert PASSWORD not in " ".join(programs.words())
    assert f"psk={PASSWORD}" in (profiles / f"{CONNECTION}.nmconnection").read_text()


def test_a_password_is_written_as_key_files_want_it(profiles):
    spot(Programs(), "pass word\\1").open()
    assert "psk=pass\\sword\\\\1\n" in (profiles / f"{CONNECTION}.nmconnection").read_text()
    with pytest.raises(PlatewardenError, match="printable ASCII"):
        spot(Programs(), "pass\nautoconnect=true").open()


@pytest.mark.parametrize(
    "fails", [("nft", "-f"), ("nmcli", "connection", "load"), ("nmcli", "connection", "up")]
)
def test_what_fails_is_told_without_the_password_and_nothing_stays_open(fails):
    programs = Programs(fails)
    with pytest.raises(PlatewardenError) as caught:
        spot(programs).open()
    assert PASSWORD not in str(caught.value)
    assert "no device" in str(caught.value)
    opened = any("connection load" in words for words in programs.words())
    assert not opened or programs.words()[-2:] == [
        f"nmcli connection delete {CONNECTION}",
        "nft -f -",
    ]


def test_closing_what_is_not_there_is_nothing_wrong():
    hotspot = spot(
        lambda arguments, _told: Done(
            10,
            "Error: unknown connection 'x'."
            if arguments[0] == "nmcli"
            else "Error: No such file or directory",
        )
    )
    assert hotspot.close() == []


def test_closing_goes_on_after_a_failure_and_says_what_failed():
    hotspot = spot(lambda _arguments, _told: Done(4, "timeout"))
    assert hotspot.close() == ["nmcli: timeout", "nft: timeout"]


def test_a_missing_program_is_named_with_its_package(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda _name: None)
    with pytest.raises(PlatewardenError, match="sudo apt install network-manager"):
        run_program(["nmcli", "device"], "")
    with pytest.raises(PlatewardenError, match="not installed"):
        Hotspot("wlan0", "s", PASSWORD, profiles=globals()["PROFILES"]).open()


def test_a_program_is_run_for_real():
    assert run_program(["sh", "-c", "cat >&2; exit 3"], "told\n") == Done(3, "told")


def test_the_password_is_in_no_repr():
    assert PASSWORD not in repr(spot(Programs()))
    label = new_label("cam-1")
    assert label.password not in repr(label)
    assert label.pin not in repr(label)


def test_a_label_is_kept_for_its_owner_only_and_never_replaced(tmp_path):
    assert load_label(tmp_path) is None
    label = new_label("main-street-2")
    keep_label(tmp_path, label)
    assert load_label(tmp_path) == label
    assert (tmp_path / "aim.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(StorageError):
        keep_label(tmp_path, new_label("main-street-2"))
    (tmp_path / "aim.json").chmod(0o644)
    with pytest.raises(StorageError):
        load_label(tmp_path)


def test_the_units_credential_comes_first(tmp_path, monkeypatch):
    (tmp_path / "credentials").mkdir()
    label = new_label("cam-1")
    keep_label(tmp_path / "credentials", label)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path / "credentials"))
    assert load_label(tmp_path / "nowhere") == label


@pytest.mark.parametrize(
    "odd",
    [
        '{"v": 1}',
        '{"v": 1, "ssid": "a b", "password": "abcdefgh", "pin": "123456"}',
        '{"v": 1, "ssid": "a", "password": "abcdefgh", "pin": "12345"}',
    ],
)
def test_an_odd_label_is_refused(tmp_path, odd):
    path = tmp_path / "aim.json"
    path.write_text(odd)
    path.chmod(0o600)
    with pytest.raises(EnvelopeRefusedError):
        load_label(tmp_path)


def test_labels_differ_and_their_drawing_holds_both_codes():
    one, two = new_label("cam-1"), new_label("cam-1")
    assert one.password != two.password
    assert len(one.pin) == 6
    svg = draw(one, "http://10.42.0.1:8480/")
    root = ET.fromstring(svg)
    assert len(root.findall("{http://www.w3.org/2000/svg}svg")) == 2
    words = " ".join(element.text or "" for element in root.iter())
    assert one.password in words
    assert one.pin in words
