"""`hotlist publish` as cron runs it: sealed once to all enrolled cameras, nothing done twice, no
plate anywhere but inside.
"""

import json
import os
import re
from datetime import datetime

import pyrage
import pytest

from agent.city import moment as moments
from agent.core.hotlist.compiled_format import decode
from tests.support.clerk_city import (
    CAMERA,
    LATER,
    OTHER,
    camera,
    copied,
    found,
    is_error,
    publish_first,
)
from tests.support.hotlist_opened import opened_file

ROWS = (
    "plate,state,category,agency,case,source_date,expires\n"
    "PWD 0001,US-CA,stolen-vehicle,Exampleville PD,EPD-1,2026-11-10,2031-01-10\n"
)
FRESH, HALF, TOMORROW = "2026-11-20T08:00:00Z", "2026-11-21T09:00:00Z", "2026-11-21T10:00:00Z"
pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("quick_disk")]


@pytest.fixture
def desk(cities, tmp_path, capsys):
    """A published city with one enrolled camera and a list of one plate."""
    desk = copied(
        cities,
        "enrolled",
        tmp_path,
        capsys,
        lambda folder: one_camera(publish_first(found(folder, capsys))),
    )
    (desk.lists / "hotlist.csv").write_text(ROWS)
    return desk


def one_camera(desk):
    path, kit = desk.enrol()
    (desk.folder / "identity").write_bytes(kit.private["hotlist.key"])
    enrol(desk, path)


def enrol(desk, path, on=LATER):
    key = ("--roster-key", desk.key("roster"), "--passphrase-file", desk.folder / "passphrase")
    assert desk.sign("dora", "--enrol", path, *key, on=on).code == 0
    assert desk.sign("eli", on=on).code == 0
    assert desk.publish(on=on).code == 0


def publish(desk, *more, on=FRESH, key="list"):
    return desk.run("hotlist", "publish", "--city", desk.city, "--key", desk.key(key), *more, on=on)


def at_once(desk, on=FRESH):
    done = publish(desk, "--online-key", desk.key("daily"), "--json", on=on)
    assert done.code == 0, done.err
    assert "PWD" not in done.out + done.err
    return json.loads(done.out)


def opened(desk, on, identity, name="hotlist.age"):
    """What a camera finds in the bundle that it takes in then."""
    who = OTHER if identity == "other" else CAMERA
    generation = camera(desk, on, folder=f"camera-{who}", name=who)
    own = pyrage.x25519.Identity.from_str((desk.folder / identity).read_text().strip())
    return opened_file(generation.city, own, name)


def test_a_camera_opens_it_and_nobody_else(desk):
    told = at_once(desk)
    assert (told["result"], told["entries"], told["cameras"], told["published"]) == (
        "encrypted",
        1,
        1,
        True,
    )
    compiled = decode(bytearray(opened(desk, FRESH, "identity")), "hotlist.bin")
    assert compiled.header.entries == 1
    for path in desk.city.rglob("*"):
        plain = path.name == "hotlist.csv"
        assert plain or not path.is_file() or not re.search(rb"PWD ?0001", path.read_bytes()), path
    sealed = next((desk.repository / "targets/hotlist").glob("*.hotlist.age")).read_bytes()
    with pytest.raises(pyrage.DecryptError):
        pyrage.decrypt(sealed, [pyrage.x25519.Identity.generate()])


def test_cron_does_nothing_twice(desk):
    at_once(desk)
    before = desk.files()
    assert at_once(desk, on="2026-11-20T09:00:00Z")["result"] == "unchanged"
    assert desk.files() == before
    sealed = {path.name for path in (desk.repository / "targets/hotlist").iterdir()}
    assert at_once(desk, on=HALF)["result"] == "renewed"
    assert {path.name for path in (desk.repository / "targets/hotlist").iterdir()} == sealed, (
        "a camera need not fetch the same list again"
    )
    assert camera(desk, HALF).versions["hotlist"] == 2


def test_a_new_list_an_addition_and_a_new_camera(desk):
    at_once(desk)
    (desk.lists / "hotlist.csv").write_text(
        ROWS + ROWS.splitlines()[1].replace("0001", "0002").replace("EPD-1", "EPD-2") + "\n"
    )
    assert at_once(desk, on="2026-11-20T09:00:00Z") | {
        "result": "encrypted",
        "entries": 2,
        "version": 2,
    } == at_once(desk, on="2026-11-20T09:00:00Z") | {"result": "encrypted"}
    path, kit = desk.enrol(OTHER)
    (desk.folder / "other").write_bytes(kit.private["hotlist.key"])
    enrol(desk, path, on="2026-11-20T10:00:00Z")
    told = at_once(desk, on="2026-11-20T11:00:00Z")
    assert (told["result"], told["cameras"]) == ("encrypted", 2)
    on = "2026-11-20T11:00:00Z"
    assert opened(desk, on, "other") == opened(desk, on, "identity")


def test_an_owner_without_the_online_key(desk):
    done = publish(desk)
    assert "signed; `bundle publish --renew` takes it" in done.out
    assert "hotlist" not in {
        path.parent.name for path in (desk.repository / "targets").rglob("*.age")
    }
    assert "hotlist 1" in desk.publish("--renew", on=FRESH).out
    assert opened(desk, FRESH, "identity")


def test_what_is_refused(desk):
    before = desk.files()
    is_error(publish(desk, key="daily"), 2, "does not hold role hotlist", "Police list")
    is_error(
        publish(desk, "--online-key", desk.key("ada")), 2, "does not hold role snapshot", "City IT"
    )
    (desk.lists / "hotlist.csv").write_text(ROWS.replace("PWD 0001", "PWD;0001"))
    done = publish(desk)
    is_error(done, 2, "hotlist.csv")
    assert "PWD" not in done.err
    (desk.lists / "hotlist.csv").unlink()
    is_error(publish(desk), 2, "hotlist.csv", "header alone")
    assert desk.files() == before


def test_before_there_are_cameras(tmp_path, capsys):
    desk = publish_first(found(tmp_path, capsys))
    (desk.lists / "hotlist.csv").write_text(ROWS)
    is_error(publish(desk), 2, "no camera is enrolled", "--enrol")


def test_a_stale_list_is_told(desk):
    os.utime(desk.lists / "hotlist.csv", (1_763_000_000, 1_763_000_000))
    done = publish(desk, "--online-key", desk.key("daily"))
    assert done.code == 0
    assert "stale" in done.err
    assert CAMERA not in done.err


@pytest.fixture
def _any_day(monkeypatch):
    """These days lie ahead, where `--on` leads only in a rig's city."""
    monkeypatch.setattr(moments, "moment", lambda on, **_: datetime.fromisoformat(on))


@pytest.mark.usefixtures("_any_day")
def test_a_policy_that_has_ended_is_told_and_is_exit_3_also_where_the_list_is_unchanged(desk):
    """ "encrypted and published", exit 0, while every camera had stopped."""
    for on, how in (("2027-05-02T06:00:00Z", "encrypted"), ("2027-05-02T07:00:00Z", "unchanged")):
        done = publish(desk, "--online-key", desk.key("daily"), "--json", on=on)
        assert done.code == 3, how
        table = json.loads(done.out)
        assert table["result"] == how
        assert table["camera"]["takes_it"] is False
        assert "A camera refuses this" in done.err
        assert "policy.toml" in done.err


def test_a_camera_that_takes_it_is_told(desk):
    assert at_once(desk)["camera"] == {"takes_it": True}
    assert at_once(desk, on="2026-11-20T09:00:00Z")["camera"] == {"takes_it": True}
