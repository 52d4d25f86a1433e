"""Withdrawn means withdrawn: `remove` says what cameras still hold, `--publish` sends it, `show
--pending` follows an act to the last camera, and no later list brings the car back.
"""

import json
from datetime import UTC, datetime, timedelta

import pyrage
import pytest

from agent.bundles.hotlist_sealed import open_hotlist
from agent.city.hotlist_way import on_its_way
from agent.core.policy.schema.hotlist_rules import HotlistRules
from tests.components.test_hotlist_command import PLATE, ROW, TODAY, city, hotlist, listed
from tests.components.test_hotlist_publish import FRESH, desk, enrol, one_camera, publish
from tests.components.test_two_hands import add, approve, hands
from tests.support.clerk_city import camera, is_error
from tests.support.judging import HEADER

__all__ = ["city", "desk", "enrol", "hands", "one_camera"]
pytestmark = pytest.mark.usefixtures("quick_disk")
WHO = ("--by", "clerk 8", "--why", "car recovered")
EXTRACT = ("--ncic", "--agency", "Example CJIS", "--case", "X-1")


@pytest.fixture
def plates(desk, monkeypatch):
    """A published list of two cars; whoever is asked for a plate types the first one's."""
    for command in ("add", "remove"):
        monkeypatch.setattr(f"agent.commands.hotlist.{command}.plate", lambda: PLATE)
    (desk.lists / "hotlist.csv").unlink()
    path = desk.folder / "agency.csv"
    path.write_text("\n".join([HEADER, ROW, ROW.replace("7Q42", "9K5").replace("C-1", "C-2"), ""]))
    assert run(desk, "import", path).code == 0
    assert publish(desk, "--online-key", desk.key("daily")).code == 0
    return desk


def run(desk, *words):
    return desk.run("hotlist", words[0], *words[1:], "--city", desk.city, on="")


def remove(desk, *more):
    done = run(desk, "remove", "--state", "US-CA", *WHO, *more)
    assert "7Q42" not in done.out + done.err
    return done


def pending(desk):
    return json.loads(run(desk, "show", "--pending", "--json").out)["pending"]


def held_by_camera(desk, at):
    """The cases under which a camera looks for the plate, once it has what is published."""
    own = pyrage.x25519.Identity.from_str((desk.folder / "identity").read_text().strip())
    generation = camera(desk, at)
    ends = generation.expiry["hotlist"]
    month = timedelta(days=30)
    found = open_hotlist(
        generation.city, own, TODAY, ["stolen-vehicle"], month, ends, HotlistRules()
    )
    return [entry.case for entry in found.texts("PWD7Q42")]


def test_a_withdrawal_tells_which_published_list_still_has_the_car(plates):
    told = json.loads(remove(plates, "--json").out)
    assert told["withdrawn"] == 1
    assert told["cameras_hold"]["version"] == 1
    assert told["cameras_hold"]["until"].startswith("2026-11-22T08:00:00")
    assert told["sent"] is None
    assert held_by_camera(plates, FRESH) == ["C-1"]


def test_it_says_so_in_words_with_the_next_step(plates):
    said = " ".join(remove(plates).out.split())
    assert "withdrawn: 1 entries" in said
    assert "Cameras may still look for them: version 1 is published, until 2026-11-22" in said
    assert "platewarden hotlist publish --city" in said


def test_publish_at_once_takes_the_car_from_the_cameras(plates):
    keys = ("--key", plates.key("list"), "--online-key", plates.key("daily"))
    done = plates.run(
        *("hotlist", "remove", "--city", plates.city, "--state", "US-CA", *WHO),
        *("--publish", *keys, "--json"),
        on=FRESH,
    )
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["sent"]["result"], told["sent"]["version"]) == ("encrypted", 2)
    assert told["cameras_hold"] is None
    assert held_by_camera(plates, FRESH) == []


def test_publish_without_a_key_withdraws_nothing(plates):
    is_error(remove(plates, "--publish"), 2, "--publish", "--key")
    assert pending(plates) == []


def test_what_was_never_sent_is_with_no_camera(plates):
    words = ("--state", "US-CA", "--category", "stolen-vehicle", "--agency", "Town PD")
    for case, more in (("C-9", ("--json",)), ("C-10", ())):
        assert run(plates, "add", *words, *WHO, "--case", case, "--expires", "9d").code == 0
        said = remove(plates, "--case", case, *more).out
        assert '"cameras_hold": null' in said or "No published list holds them" in said


def test_a_withdrawals_way_is_followed_to_the_last_camera(plates):
    assert pending(plates) == []
    remove(plates)
    (step,) = pending(plates)
    assert (step["act"], step["cases"], step["state"]) == ("withdraw", ["C-1"], "here")
    assert publish(plates).code == 0  # signed by the list's owner, without the online key
    (step,) = pending(plates)
    assert (step["state"], step["version"]) == ("signed", 2)
    assert plates.publish("--renew", on=FRESH).code == 0
    (step,) = pending(plates)
    assert (step["state"], step["version"]) == ("published", 2)
    now = datetime.now(UTC)
    until = datetime.fromisoformat(step["until"])
    assert timedelta(days=2) - timedelta(hours=1) < until - now <= timedelta(days=2)
    assert on_its_way(plates.city, until - timedelta(minutes=1))
    assert on_its_way(plates.city, until) == ()
    said = run(plates, "show", "--pending").out
    assert "published in version 2; who has not fetched it stops on" in said
    assert "7Q42" not in said


def test_an_act_whose_entries_have_expired_is_on_no_way(plates):
    remove(plates)
    day = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC)
    assert on_its_way(plates.city, day + timedelta(days=19))
    assert on_its_way(plates.city, day + timedelta(days=20)) == ()


def test_an_addition_that_waits_for_another_person_is_told_and_then_follows_the_list(city, hands):
    add(city, "--signing-key", hands["ada"])
    told = json.loads(hotlist("show", "--pending", "--city", city, "--json").stdout)
    assert told["cameras_hold"] is None
    assert [(one["act"], one["state"]) for one in told["pending"]] == [("add", "waits")]
    approve(city, hands["ben"])
    told = json.loads(hotlist("show", "--pending", "--city", city, "--json").stdout)
    assert [(one["act"], one["state"]) for one in told["pending"]] == [("approve", "here")]


def test_a_withdrawn_car_does_not_come_back_with_the_next_extract_on_another_line(city):
    path = city.parent / "extract.txt"
    found = f"V{TODAY:%Y%m%d}PWD7Q42   CA\n"
    other = f"V{TODAY:%Y%m%d}PWD9K5    CA\n"
    path.write_text(found, encoding="ascii")
    hotlist("import", path, "--city", city, *EXTRACT)
    assert listed(city)
    hotlist("remove", "--city", city, "--state", "US-CA", *WHO, given=PLATE)
    assert listed(city) == []
    path.write_text(other + found, encoding="ascii")
    hotlist("import", path, "--city", city, *EXTRACT)
    assert listed(city) == []
    assert listed(city, "PWD9K5")
    later = f"V{TODAY - timedelta(days=1):%Y%m%d}PWD7Q42   CA\n"
    path.write_text(other + later, encoding="ascii")  # another report about the same car
    asked = hotlist("import", path, "--city", city, *EXTRACT, code=2)
    assert "--allow-returned" in asked.stderr
    hotlist("import", path, "--city", city, *EXTRACT, "--allow-returned")
    assert listed(city) == [f"X-1/{TODAY - timedelta(days=1):%Y%m%d}"]
