"""A changed list as changes, from `hotlist publish` to a camera: only what changed is fetched, what
was taken off is gone as soon as what was added is there, a camera without the list before fetches
it too, and changes that give no list leave no older one in force.
"""

import shutil
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyrage
import pytest

from agent.bundles.fetcher import Fetch, FolderSource
from agent.bundles.hotlist_sealed import open_hotlist
from agent.bundles.layout import CHANGES_PATH, HOTLIST, ROLES
from agent.city import hotlist_changes
from agent.city.hotlist_kept import read_kept
from agent.core.policy.schema.hotlist_rules import HotlistRules
from agent.errors import ConfigError
from agent.settings import Limits
from tests.components.test_hotlist_cameras import rotated
from tests.components.test_hotlist_publish import at_once, enrol, publish
from tests.support import killed_at
from tests.support.clerk_city import CAMERA, OTHER, camera, copied, found, publish_first
from tests.support.hotlist_opened import opened_file

HEADER = "plate,state,category,agency,case,source_date,expires"
ROWS = 400
pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("quick_disk")]


def hour(number):
    """So many hours after the first publication."""
    return (datetime(2026, 11, 20, 8, tzinfo=UTC) + timedelta(hours=number)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def put(desk, begin, number=ROWS):
    """The agency's list: rows from `begin` on."""
    rows = (
        f"PWD {n:04d},US-CA,stolen-vehicle,Exampleville PD,EPD-{n},2026-11-10,2031-01-10"
        for n in range(begin, begin + number)
    )
    (desk.lists / "hotlist.csv").write_text("\n".join([HEADER, *rows]) + "\n")


def make(folder, capsys):
    desk = publish_first(found(folder, capsys))
    for name, identity in ((CAMERA, "identity"), (OTHER, "other")):
        path, kit = desk.enrol(name) if name == OTHER else desk.enrol()
        (desk.folder / identity).write_bytes(kit.private["hotlist.key"])
        enrol(desk, path)
    put(desk, 0)
    assert at_once(desk, on=hour(0))["changes_bytes"] == 0


@pytest.fixture
def desk(cities, tmp_path, capsys):
    """A city with two cameras, whose list of 400 rows is published."""
    return copied(cities, "with-a-list", tmp_path, capsys, lambda folder: make(folder, capsys))


def held(desk, on, identity="identity", folder=None):
    """The numbers of the rows that a camera finds in what it takes in then, or has already."""
    name = OTHER if identity == "other" else CAMERA
    folder = folder or f"camera-{name}"
    camera(desk, on, folder=folder, name=name)
    own = pyrage.x25519.Identity.from_str((desk.folder / identity).read_text().strip())
    day = date(2026, 11, 20)
    listed = open_hotlist(
        desk.folder / folder / "current/city",
        own,
        day,
        {"stolen-vehicle"},
        timedelta(days=60),
        datetime(2027, 1, 1, tzinfo=UTC),
        HotlistRules(),
    )
    numbers = {n for n in range(ROWS + 300) if listed.texts(f"PWD{n:04d}")}
    assert listed.by_category(day) == {"stolen-vehicle": len(numbers)}
    return numbers


def fetched(desk, inbox, name=CAMERA):
    """What one run of `update` writes of the list: file names without hashes, and bytes."""
    folder = inbox / "targets/hotlist"
    before = {path for path in folder.rglob("*.*") if path.is_file()}
    Fetch(FolderSource(desk.repository), inbox, Limits(), name).run()
    new = {path for path in folder.rglob("*.*") if path.is_file()} - before
    return {path.name.split(".", 1)[1]: path.stat().st_size for path in new}


def test_only_what_changed_is_sent_and_what_went_is_gone_with_it(desk, tmp_path):
    assert held(desk, hour(0)) == set(range(ROWS))
    whole = fetched(desk, tmp_path / "in")
    put(desk, 5)
    told = at_once(desk, on=hour(1))
    assert (told["result"], told["entries"]) == ("encrypted", ROWS)
    sent = fetched(desk, tmp_path / "in")
    assert sent == {"changes.age": told["changes_bytes"]}
    assert sent["changes.age"] < whole["hotlist.age"] / 8
    assert held(desk, hour(1)) == set(range(5, ROWS + 5))


def test_each_time_from_the_same_list_so_no_camera_needs_those_between(desk, tmp_path):
    held(desk, hour(0))
    for number in (1, 2, 3):
        put(desk, 3 * number)
        assert at_once(desk, on=hour(number))["changes_bytes"]
        assert held(desk, hour(number)) == set(range(3 * number, ROWS + 3 * number))
    assert held(desk, hour(3), folder="was-away-since-the-first") == set(range(9, ROWS + 9))
    assert fetched(desk, tmp_path / "new").keys() >= {"hotlist.age", "changes.age"}


def test_an_act_by_hand_leaves_list_and_changes_as_they_are(desk, tmp_path, monkeypatch):
    monkeypatch.setattr("agent.commands.hotlist.remove.plate", lambda: "PWD 0007")
    put(desk, 5)
    at_once(desk, on=hour(1))
    fetched(desk, tmp_path / "in")
    who = ("--by", "clerk 8", "--why", "found again", "--state", "US-CA")
    done = desk.run("hotlist", "remove", *who, "--city", desk.city, on="")
    assert done.code == 0, done.err
    assert at_once(desk, on=hour(2))["changes_bytes"] == 0
    assert fetched(desk, tmp_path / "in").keys() == {"manual.age"}
    assert held(desk, hour(2)) == set(range(5, ROWS + 5)) - {7}


@pytest.mark.parametrize("why", ["a-week", "large", "another-camera", "asked", "state-lost"])
def test_when_the_whole_is_sent_and_under_another_key(desk, why):
    put(desk, 200 if why == "large" else 5)
    on, more = hour(1), ()
    before = (desk.lists / "hotlist-published.json").read_bytes()
    if why == "a-week":
        on = hour(24 * 7)
        at_once(desk, on=hour(24 * 7 - 1))  # a change within the week begins no new one
        put(desk, 7)
    elif why == "another-camera":
        key = ("--roster-key", desk.key("roster"), "--passphrase-file", desk.folder / "passphrase")
        assert desk.sign("dora", "--retire", OTHER, *key, on=on).code == 0
        assert desk.sign("eli", on=on).code == 0
        assert desk.publish(on=on).code == 0
    elif why == "asked":
        more = ("--whole",)
    elif why == "state-lost":
        (desk.lists / "hotlist-published.json").write_bytes(b"{}")
    done = publish(desk, "--online-key", desk.key("daily"), "--json", *more, on=on)
    assert done.code == 0, done.err
    assert '"changes_bytes": 0' in done.out
    assert (desk.lists / "hotlist-published.json").read_bytes() != before
    first = min(held(desk, on))
    assert first == {"large": 200, "a-week": 7}.get(why, 5)
    assert not list((desk.folder / f"camera-{CAMERA}").rglob("changes.age"))


@pytest.mark.parametrize("what", ["nothing", "by-hand"])
def test_what_went_lies_sealed_for_a_week_also_where_the_list_stays_as_it_is(
    desk, monkeypatch, what
):
    """Only the whole ends that, so it is sent once the week is over, whatever else is new."""
    put(desk, 5)
    at_once(desk, on=hour(1))
    at_once(desk, on=hour(24 * 7 - 1))
    assert list((desk.repository / "targets/hotlist").glob("*.changes.age"))
    if what == "by-hand":
        monkeypatch.setattr("agent.commands.hotlist.remove.plate", lambda: "PWD 0007")
        who = ("--by", "clerk 8", "--why", "found again", "--state", "US-CA")
        assert desk.run("hotlist", "remove", *who, "--city", desk.city, on="").code == 0
    key = read_kept(desk.city).list_key
    told = at_once(desk, on=hour(24 * 7))
    assert (told["result"], told["changes_bytes"]) == ("encrypted", 0)
    assert read_kept(desk.city).list_key != key
    assert held(desk, hour(24 * 7)) == set(range(5, ROWS + 5)) - (
        {7} if what == "by-hand" else set()
    )
    assert not list((desk.folder / f"camera-{CAMERA}").rglob("changes.age"))
    assert at_once(desk, on=hour(24 * 7 + 1))["result"] == "unchanged"


def test_asked_for_the_whole_of_what_is_published_it_is_made_anew(desk):
    sealed = {path.name for path in (desk.repository / "targets/hotlist").iterdir()}
    done = publish(desk, "--online-key", desk.key("daily"), "--whole", on=hour(1))
    assert (done.code, "encrypted and published" in done.out) == (0, True)
    assert {path.name for path in (desk.repository / "targets/hotlist").iterdir()} - sealed


def another_last_byte(changes):
    """Of the digest at its end: any one byte would be the right one now and then."""
    return changes[:-1] + bytes([changes[-1] ^ 1])


@pytest.mark.parametrize("spoil", ["other-base", "rubbish", "other-result"])
def test_signed_changes_that_give_no_list_leave_none_in_force(desk, monkeypatch, spoil):
    """The owner's key in wrong hands, or a fault of ours: never the older list alone."""
    honest = hotlist_changes.changes_between
    spoilt = {
        "other-base": lambda base, result: honest(result, base),
        "rubbish": lambda *_: b"PWD 0001",
        "other-result": lambda base, result: another_last_byte(honest(base, result)),
    }
    monkeypatch.setattr(hotlist_changes, "changes_between", spoilt[spoil])
    put(desk, 5)
    assert at_once(desk, on=hour(1))["changes_bytes"]
    with pytest.raises(ConfigError, match="the changes") as caught:
        held(desk, hour(1))
    assert "PWD" not in str(caught.value)
    assert "hotlist publish --whole" in str(caught.value)
    monkeypatch.undo()
    done = publish(desk, "--online-key", desk.key("daily"), "--whole", on=hour(2))
    assert done.code == 0, done.err
    assert held(desk, hour(2)) == set(range(5, ROWS + 5))


def test_changes_that_came_otherwise_than_signed_are_refused_and_what_is_there_stays(desk):
    held(desk, hour(0))
    put(desk, 5)
    at_once(desk, on=hour(1))
    [sealed] = (desk.repository / "targets/hotlist").glob("*.changes.age")
    good = sealed.read_bytes()
    for bad in (good[:-1], good[:-1] + bytes([good[-1] ^ 1]), None):
        sealed.unlink() if bad is None else sealed.write_bytes(bad)
        assert "changes.age" in str(camera(desk, hour(1), folder=f"camera-{CAMERA}"))
        [kept] = (desk.folder / f"camera-{CAMERA}/generations").iterdir()
        assert not list(kept.rglob("changes.age"))
    sealed.write_bytes(good)
    assert held(desk, hour(1)) == set(range(5, ROWS + 5))


class TestACityOfEarlierSoftware:
    @pytest.fixture
    def desk(self, cities, tmp_path, capsys, monkeypatch):
        with self.earlier(monkeypatch):
            return copied(
                cities, "before-changes", tmp_path, capsys, lambda folder: make(folder, capsys)
            )

    @contextmanager
    def earlier(self, monkeypatch):
        """The software before changes."""
        rule = ROLES[HOTLIST]
        paths = tuple(path for path in rule.paths if path != CHANGES_PATH)
        with monkeypatch.context() as patch:
            patch.setitem(ROLES, HOTLIST, replace(rule, paths=paths))
            yield

    def test_it_sends_the_whole_until_its_signers_hand_the_path_out(self, desk, monkeypatch):
        put(desk, 5)
        assert at_once(desk, on=hour(1))["changes_bytes"] == 0
        with self.earlier(monkeypatch):  # an older camera goes on
            assert held(desk, hour(1)) == set(range(5, ROWS + 5))
        said = rotated(desk, on=hour(2))
        assert "hotlist: may sign hotlist/changes.age too" in said.out
        for who in ("ada", "ben"):
            assert desk.sign(who, on=hour(2)).code == 0
        assert desk.publish(on=hour(2)).code == 0
        put(desk, 9)
        assert at_once(desk, on=hour(3))["changes_bytes"]
        assert held(desk, hour(3), folder="new") == set(range(9, ROWS + 9))
        with self.earlier(monkeypatch):  # the one sentence of a camera that must be updated first
            refused = camera(desk, hour(3), folder=f"camera-{CAMERA}")
        assert refused.what == "hotlist is handed paths that are not its own"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_file_operation_a_camera_has_one_whole_list(desk, tmp_path):
    put(desk, 5)
    kept = shutil.copytree(desk.folder, tmp_path / "kept")

    def sends():
        publish(desk, "--online-key", desk.key("daily"), on=hour(1))

    total = killed_at.operations(desk.folder, sends)
    assert total > 10, total
    seen = []
    for nth in range(0, total, max(1, total // 20)):
        shutil.rmtree(desk.folder)
        shutil.copytree(kept, desk.folder)
        assert not killed_at.ran_until(nth, desk.folder, sends), f"{nth} of {total}"
        seen.append(held(desk, hour(1)))
        assert at_once(desk, on=hour(2))["published"], f"{nth} of {total}"
        assert held(desk, hour(2)) == set(range(5, ROWS + 5))
    assert seen[0] == set(range(ROWS))
    assert {frozenset(one) for one in seen} <= {
        frozenset(range(ROWS)),
        frozenset(range(5, ROWS + 5)),
    }


def test_the_plain_changes_lie_in_no_file(desk):
    put(desk, 5)
    at_once(desk, on=hour(1))
    for path in desk.folder.rglob("*"):
        if path.is_file() and path.name != "hotlist.csv":
            assert b"EPD-401" not in path.read_bytes(), path
    own = pyrage.x25519.Identity.from_str((desk.folder / "identity").read_text().strip())
    city = camera(desk, hour(1)).city
    assert b"EPD-401" not in opened_file(city, own)
    assert b"EPD-401" in opened_file(city, own, "changes.age")
