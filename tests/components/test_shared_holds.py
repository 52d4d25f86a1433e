"""Holds where several receivers share a store: one applies and opens, each keeps; and what becomes
of keys while the store does not answer.
"""

import shutil
from contextlib import closing

import pytest

from agent.core.time.instant import Instant
from agent.errors import ConfigError, StoreAwayError
from agent.receiver.holds.hold_desk import Asked
from agent.receiver.receiver_settings import ReceiverSettings, StoreSettings, template
from agent.receiver.store.holds.postgresql_holds import PostgresqlHolds
from agent.receiver.workplace import Workplace
from tests.support.holding import HOUR, Court, take
from tests.support.receiving import Enrolled
from tests.support.sealed import CAPTURED, PLATE, RECIPIENT

pytestmark = pytest.mark.usefixtures("quick_disk")

NOW, APPLIED = Instant(CAPTURED), Instant(CAPTURED + 2 * HOUR)


class Two:
    """The receiver that makes the keys, one with copies, and a court."""

    def __init__(self, folder, url):
        self.enrolled = Enrolled(folder / "one", now=NOW)
        self.court = Court(folder)
        self.court.grant(self.enrolled)
        shutil.copytree(folder / "one", folder / "two")
        for name, makes_keys in (("one", True), ("two", False)):
            store = StoreSettings(postgresql=url)
            made = ReceiverSettings(
                recipient=RECIPIENT,
                store=store,
                receiver=name,
                makes_keys=makes_keys,
                epochs_ahead_days=25,
            )
            (folder / name / "receiver.toml").write_text(template(made))
        self.first, self.second = Workplace(folder / "one"), Workplace(folder / "two")
        self.read = self.take(self.first)

    def take(self, place, now=NOW):
        read = self.enrolled.seal(retention_days=3)
        take(place, read, now)
        return read

    def apply(self, place):
        with closing(place.store()) as store:
            return place.holds.apply(store, self.court.record(), APPLIED).kept.id

    def shown(self, place, hold, now):
        with closing(place.store()) as store:
            asked = Asked(hold, None, self.court.holder_key, "C. Custodian")
            return {
                one.tags.read_id: one.plate.text.value
                for one in place.holds.opened(store, asked, now)
            }

    def held(self, hold):
        with closing(self.first.store()) as store:
            return {one.read_id: one.by for one in store.holds.reads(hold)}

    def stored(self):
        with closing(self.first.store()) as store:
            return {row.read_id for row in store.reads()}


@pytest.fixture
def two(tmp_path, postgresql):
    return Two(tmp_path, postgresql.url())


def test_only_the_one_that_makes_the_keys_applies_a_hold(two):
    with pytest.raises(ConfigError, match="applies no hold"):
        two.apply(two.second)
    assert two.apply(two.first)


def test_another_keeps_what_came_since_before_it_deletes(two):
    hold = two.apply(two.first)
    late = two.take(two.second, Instant(CAPTURED + 5 * HOUR))
    due = Instant(late.tags.deadline)
    two.second.tidy(due)
    assert two.held(hold)[late.tags.read_id] == f"{RECIPIENT}.two"
    assert not two.stored()
    ids = {two.read.tags.read_id, late.tags.read_id}
    assert two.shown(two.first, hold, due) == dict.fromkeys(ids, PLATE)
    assert (two.second.folder / "hold-log" / "log.sqlite").exists()


@pytest.mark.parametrize("lacks", ["epochs", "hold-rules.jws"])
def test_what_another_cannot_keep_it_leaves_to_the_one_that_makes_the_keys(two, lacks):
    hold = two.apply(two.first)
    late = two.take(two.first, Instant(CAPTURED + 5 * HOUR))
    due = Instant(late.tags.deadline)
    if lacks == "epochs":
        (two.second.folder / "epochs" / f"{late.tags.epoch}.key").unlink()
    else:
        (two.second.folder / lacks).unlink()
    two.second.tidy(due)
    assert late.tags.read_id in two.stored()
    two.first.tidy(due)
    assert not two.stored()
    assert late.tags.read_id in two.shown(two.first, hold, due)


def test_whoever_ends_it_the_key_goes_with_the_next_pass(two):
    hold = two.apply(two.first)
    end = Instant(two.court.hold().expires_at)
    two.second.tidy(end)
    assert two.held(hold) == {}
    two.first.tidy(end)
    assert not two.first.holds.any_here


def test_while_the_store_is_away_keys_wait_only_where_something_is_held(two, monkeypatch):
    two.apply(two.first)
    due = Instant(two.read.tags.deadline)

    def away(_self):
        raise StoreAwayError("does not answer")

    monkeypatch.setattr(PostgresqlHolds, "holds", away)
    for place, waits in ((two.first, True), (two.second, False)):
        with pytest.raises(StoreAwayError):
            place.tidy(due)
        assert (two.read.tags.epoch in place.keys.epochs()) is waits
