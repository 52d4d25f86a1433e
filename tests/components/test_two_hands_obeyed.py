"""Two hands, at the camera: what one person signed raises nothing, a list above the charter's
limits is none, on an enrolled camera as on a rig; and who signs a charter is shown its hands.
"""

import json
from datetime import UTC, datetime, timedelta

import pyrage
import pytest

from agent.bundles.city_folder import CityFolder
from agent.bundles.hotlist_file import MANUAL, beside
from agent.bundles.layout import HOTLIST, HOTLIST_PATH, MANUAL_PATH
from agent.city import moment as moments
from agent.core.hotlist.compiled_format import encode
from agent.core.hotlist.intake.list_import import Source, import_list
from agent.errors import BundleRefusedError
from agent.settings import load
from agent.sides.camera_orders import unsigned_orders
from tests.components.test_hotlist_command import cap, hotlist
from tests.components.test_two_hands import more_of, named
from tests.support.camera_rig import PLATE, copy_of
from tests.support.clerk_city import LATER, found, is_error, publish_first
from tests.support.signed_camera import HEADER, leaves, signed_camera

pytestmark = pytest.mark.usefixtures("quick_disk")
TODAY = datetime.now(UTC).date()
ENTRY = ("--state", "US-CA", "--category", "stolen-vehicle", "--agency", "Town PD")
DAYS = ("--source-date", TODAY, "--expires", TODAY + timedelta(days=9))
WHO = ("--by", "clerk 7", "--why", "reported at the desk")


class Log:
    """What watch's log is told."""

    def __init__(self):
        self.told = []

    def append(self, kind, details):
        self.told.append((kind, details))


@pytest.fixture
def rig(installed, tmp_path):
    return copy_of(installed, tmp_path)


def charter(rig, *words):
    """The rig's charter with these words at its end; the city's folder."""
    city = rig.installation.work / "city"
    path = city / "charter.toml"
    path.write_text(path.read_text() + "\n".join(["", *words, ""]))
    return city


def listed(city, keys, case="26-0001"):
    """One plate by hand on a list that is empty else, by the commands themselves."""
    (beside(city) / "hotlist.csv").write_text(HEADER + "\n")
    policy = city / "policy.toml"
    before = policy.read_text()
    cap(city, 3)
    key = ("--signing-key", keys["ada"]) if keys else ()
    words = ("add", "--city", city, *ENTRY, *DAYS, *WHO, "--case", case, *key)
    hotlist(*words, given=PLATE)
    policy.write_text(before)
    return beside(city) / MANUAL


def approved(city, keys):
    words = ("approve", "--city", city, "--case", "26-0001", "--signing-key", keys["ben"])
    hotlist(*words, given=PLATE)


def orders(rig):
    """What the rig's watch takes in from its folder, and what it logs."""
    settings, log = load(rig.installation.settings), Log()
    policy, _ = CityFolder(settings.city).obeyed()
    return unsigned_orders(settings, policy, TODAY, log).hotlist, log.told


def test_a_rigs_folder_is_held_against_the_charter_too(rig):
    keys = named(rig.installation.work)
    city = charter(rig, *more_of(keys))
    listed(city, keys)
    found, told = orders(rig)
    assert (found.texts(PLATE), found.left_out) == ([], 1)
    assert told[0][1]["reason"] == "hotlist-hand-missing"
    assert PLATE not in str(told)
    approved(city, keys)
    found, told = orders(rig)
    assert ([one.case for one in found.texts(PLATE)], told) == (["26-0001"], [])


def test_a_rigs_list_above_a_limit_is_refused_by_its_name(rig):
    city = charter(rig, "[hotlist]", "most_entries = 0")
    listed(city, {})
    with pytest.raises(BundleRefusedError) as caught:
        orders(rig)
    assert caught.value.reason == "hotlist-above-limit"


def enrolled(rig):
    """An enrolled camera whose imported list is empty."""
    camera = signed_camera(rig)
    now = camera.machine.real
    made = import_list(Source([f"{HEADER}\n".encode()], "hotlist.csv", now), None, now.date())
    data = bytes(encode(made.compiled.header, made.compiled.columns))
    camera.plain = pyrage.encrypt(data, [camera.identity.to_public()])
    return camera


def brought(camera, manual):
    """A list of the acts by hand alone, as its owner would sign it without asking the charter."""
    sealed = pyrage.encrypt(manual, [camera.identity.to_public()])
    camera.city.now = camera.machine.real
    camera.city.files[HOTLIST] = {HOTLIST_PATH: camera.plain, MANUAL_PATH: sealed}
    camera.city.release(HOTLIST)
    camera.city.online()
    camera.publish()


def refusals(camera):
    return [one["reason"] for one in leaves(camera.settings, "refusal")]


def test_a_camera_raises_nothing_for_what_one_person_signed(rig, monkeypatch):
    keys = named(rig.installation.work)
    city = charter(rig, *more_of(keys))
    file = listed(city, keys)
    alone = file.read_bytes()
    approved(city, keys)
    both = file.read_bytes()
    for name in ("hotlist.csv", MANUAL):
        (beside(city) / name).unlink()
    camera = enrolled(rig)
    brought(camera, alone)
    camera.watch(monkeypatch, cars=1)
    assert list(camera.settings.outbox.glob("*.sealed")) == []
    assert "hotlist-hand-missing" in refusals(camera)
    brought(camera, both)
    camera.cars_seen = 0
    camera.watch(monkeypatch, cars=1)
    assert len(list(camera.settings.outbox.glob("*.sealed"))) == 1


@pytest.mark.parametrize("limit", ["most_entries = 0", "additions_per_day = 0", "look_alikes = 1"])
def test_a_camera_has_no_list_above_a_limit(rig, monkeypatch, limit):
    work = rig.installation.work
    manual = listed(work / "city", {}).read_bytes()
    if "alike" in limit:
        manual = listed(work / "city", {}, "26-0002").read_bytes()
    for name in ("hotlist.csv", MANUAL):
        (beside(work / "city") / name).unlink()
    charter(rig, "[hotlist]", limit)
    camera = enrolled(rig)
    brought(camera, manual)
    camera.watch(monkeypatch, cars=1)
    assert list(camera.settings.outbox.glob("*.sealed")) == []
    assert "hotlist-above-limit" in refusals(camera)


@pytest.fixture
def desk(tmp_path, capsys, monkeypatch):
    """A published city whose charter names two hands and one enrolled camera."""
    monkeypatch.setattr(moments, "moment", lambda on, **_: datetime.fromisoformat(on or LATER))
    for command in ("add", "approve"):
        monkeypatch.setattr(f"agent.commands.hotlist.{command}.plate", lambda: PLATE)
    desk = publish_first(found(tmp_path, capsys))
    desk.keys = named(tmp_path / "hands")
    path = desk.city / "charter.toml"
    path.write_text(path.read_text() + "\n".join(["", *more_of(desk.keys), ""]))
    assert [desk.sign(who).code for who in ("ada", "ben")] == [0, 0]
    enrolment, _ = desk.enrol()
    roster = ("--roster-key", desk.key("roster"), "--passphrase-file", desk.folder / "passphrase")
    assert desk.sign("dora", "--enrol", enrolment, *roster).code == 0
    assert desk.sign("eli").code == 0
    assert desk.publish().code == 0
    (desk.lists / "hotlist.csv").write_text(HEADER + "\n")
    return desk


def without_hands(text):
    return text.split("\n[hotlist]\n")[0] + "\n"


def test_who_signs_a_charter_without_the_second_hand_is_shown_that_it_goes(desk):
    path = desk.city / "charter.toml"
    path.write_text(without_hands(path.read_text()))
    done = desk.sign("ada", on=LATER)
    words = " ".join(done.out.split())
    assert "It lets out more" in words
    assert 'one person alone may put a plate on the list; until now two of "ada" (key ' in words
    assert "an entry by hand may last 30 days instead of 10" in words
    assert "a case number of any form" in words
    table = json.loads(desk.sign("ben", "--json", on=LATER).out)
    assert sum(one["kind"] == "hotlist" for one in table["change"]["policy"]["lets_out"]) == 3


def test_the_draft_of_a_charter_lifts_nothing_until_it_is_published(desk):
    path = desk.city / "charter.toml"
    path.write_text(without_hands(path.read_text()))
    done = add(desk)
    is_error(done, 3, "hotlist-hand-missing")
    assert add(desk, "--signing-key", desk.keys["ada"]).code == 0


def add(desk, *more):
    """One plate by hand, at the time of the desk."""
    dates = ("--source-date", LATER[:10], "--expires", "2026-11-28")
    words = ("hotlist", "add", "--city", desk.city, *ENTRY, *dates, *WHO, "--case", "26-0001")
    return desk.run(*words, *more, on="")


def sent(desk):
    keys = ("--key", desk.key("list"), "--online-key", desk.key("daily"))
    return desk.run("hotlist", "publish", "--city", desk.city, *keys, "--json", on=LATER)


def test_publication_tells_what_waits_for_a_second_hand(desk):
    assert add(desk, "--signing-key", desk.keys["ada"]).code == 0
    done = sent(desk)
    assert json.loads(done.out)["left_out"] == 1
    assert "platewarden hotlist approve" in done.err
    words = ("hotlist", "approve", "--city", desk.city, "--case", "26-0001")
    assert desk.run(*words, "--signing-key", desk.keys["ben"], on="").code == 0
    done = sent(desk)
    assert json.loads(done.out)["left_out"] == 0
    assert "approve" not in done.err
