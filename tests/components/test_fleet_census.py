"""What is counted by the store's indexes is what reading every row says: numbers, troubles, who
stands first, page by page; and a store of an earlier version is brought up to date.
"""

import sqlite3
from contextlib import closing
from random import Random

import pytest

from agent.core.camera.health.health_message import HealthMessage
from agent.core.time.instant import ClockTrust
from agent.errors import StorageError
from agent.fleet.camera_troubles import Who
from agent.fleet.fleet_census import Brief, Census
from agent.fleet.fleet_page import fleet_page
from agent.fleet.fleet_run import seen
from agent.fleet.fleet_settings import FleetSettings
from agent.fleet.fleet_store import FILE_NAME, FleetStore
from agent.fleet.silence import SILENT, look
from tests.components.test_fleet import told
from tests.support.fleets import AT, AT_S, HOUR, ILL, fleet_of, large_store, well

AFTER_H = 3


def mixed(folder, seed, cameras=150):
    """A store of cameras that are silent, ill, refused, ahead, never heard, or all of it."""
    chance, store = Random(seed), FleetStore(folder, write=True)
    names = [f"camera-{chance.randrange(10**6):06}" for _ in range(cameras)]
    store.enrol(names)
    with store.transaction():
        for name in names:
            if chance.random() < 0.1:
                continue
            more = dict(chance.choice(ILL)) if chance.random() < 0.3 else {}
            more |= {"policy_version": chance.choice((5, 7, 7, 7, None))}
            more |= {"clock": ClockTrust.UNTRUSTED} if chance.random() < 0.1 else {}
            heard_s = AT_S - chance.choice((0, 60, 10_799, 10_800, 10_801, 50_000, 10**6))
            ahead_s = chance.choice((0, 0, 0, 7_199, 7_200, 10_000))
            message = HealthMessage(9, 0, well(name, **more))
            store.keep(
                message, heard_s + ahead_s, heard_s, missed=chance.choice((0, 3)), anew=False
            )
        for name in chance.sample(names, 20):
            at_s = AT_S - chance.choice((0, 86_399, 86_400, 86_401))
            store.refuse(name, "malformed", "is none", at_s)
        store.refuse("stranger", "malformed", "is none", AT_S)
    return store


@pytest.mark.parametrize("seed", range(6))
def test_it_says_the_same_as_reading_every_row(tmp_path, seed):
    with mixed(tmp_path, seed) as store:
        whole, census = fleet_of(store.rows(), AT, AFTER_H), Census(store, AT, AFTER_H)
        counts = census.counts()
        assert census.states() == whole.cameras
        assert counts.who == {who: whole.count(who) for who in Who}
        assert counts.troubles == whole.counts.troubles
        assert (counts.cameras, counts.versions) == (len(whole.cameras), whole.counts.versions)
        assert list(counts.policies.items()) == list(whole.counts.policies.items())
        briefs = {
            Brief(one.row.name, one.row.heard_s, one.who, one.row.missed) for one in whole.cameras
        }
        assert set(census.briefs()) == briefs
        assert len(list(census.briefs())) == len(whole.cameras)


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_page_by_page_it_is_all_of_it_once_and_in_order(tmp_path, most):
    with mixed(tmp_path, 42) as store:
        census, found = Census(store, AT, AFTER_H), []
        while page := census.states(most, len(found)):
            assert len(page) <= most
            found += page
        assert found == census.states()
        pressing = census.states(None, 0, (Who.LADDER, Who.DESK))
        assert pressing == [one for one in found if one.who is not Who.NOBODY]


def test_only_what_is_shown_is_read(tmp_path, monkeypatch):
    with large_store(tmp_path, 400, AT) as store:
        read = []
        honest = store._select
        monkeypatch.setattr(
            store, "_select", lambda *asked: [read.append(len(found := honest(*asked))), found][1]
        )
        fleet = seen(store, FleetSettings(), AT, 5)
        assert (len(fleet.cameras), fleet.counts.cameras) == (5, 400)
        assert max(read) <= 10


def test_the_page_has_the_most_pressing_and_says_how_many_more(tmp_path):
    with large_store(tmp_path, 400, AT) as store:
        page = fleet_page(seen(store, FleetSettings(), AT, 5))
        assert page.count('<th scope="row">') == 5
        assert "And 2 more: <code>fleet status --all</code>" in page
        assert "393 cameras: <code>fleet status --all</code>" in page


def test_the_look_for_silence_reads_only_those_that_may_be(tmp_path):
    with large_store(tmp_path, 400, AT) as store:
        by_s = AT_S - AFTER_H * 3_600
        few = tuple(store.maybe_silent(by_s))
        assert {row.name for row in few} == {"camera-000103"}
        look(store, few, ("desk",), AT_S, 0, AFTER_H * 3_600)
        assert told(store) == [("camera-000103", SILENT)]
        heard = HealthMessage(5_000, 0, well("camera-000103", AT))
        store.keep(heard, AT_S, AT_S, missed=0, anew=False)
        again = tuple(store.maybe_silent(by_s))
        assert [row.silent_s for row in again] == [AT_S], "told of as silent, and heard again"
        look(store, again, ("desk",), AT_S, 0, AFTER_H * 3_600)
        assert not tuple(store.maybe_silent(by_s))


class TestAnEarlierStore:
    @pytest.fixture
    def folder(self, tmp_path):
        """As the version before made it: nothing beside the messages."""
        mixed(tmp_path, 7).__exit__()
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
            for name in ("heard_s", "silent_s", "who", "codes", "version", "policy"):
                db.execute(f"DROP INDEX camera_{name}")
            for name in ("who", "codes", "version", "policy"):
                db.execute(f"ALTER TABLE camera DROP COLUMN {name}")
            db.execute("PRAGMA user_version = 1")
            db.commit()
        return tmp_path

    def test_whoever_writes_brings_it_up_to_date(self, folder):
        with FleetStore(folder, write=True) as store:
            whole = fleet_of(store.rows(), AT, AFTER_H)
            assert Census(store, AT, AFTER_H).states() == whole.cameras
        with FleetStore(folder) as store:
            assert Census(store, AT + HOUR, AFTER_H).counts().cameras == len(whole.cameras)

    def test_whoever_reads_is_told_who_does(self, folder):
        with pytest.raises(StorageError, match="older version") as caught:
            FleetStore(folder)
        assert "fleet run" in caught.value.fix
