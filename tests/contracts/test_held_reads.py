"""The contract of HeldReads, over the store of one machine and the one in PostgreSQL."""

from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from agent.core.wire.sealed_read import SealedRead
from agent.errors import StorageError
from agent.receiver.store.holds.held_reads import HeldRead, KeptHold
from tests.contracts.test_read_store import add, name, opened, sealed, sealer, store
from tests.support.sealed import CAPTURED, DEVICE

__all__ = ["opened", "sealer", "store"]
pytestmark = pytest.mark.usefixtures("quick_disk")

DAY = timedelta(days=1)
HOLD = KeptHold("ab" * 16, b"signed by one", "age1own", CAPTURED + 9 * DAY, "pd", CAPTURED)
READ = HeldRead(HOLD.id, DEVICE, "01" * 16, "cd" * 32, CAPTURED + DAY, "pd")


def test_what_is_added_is_there_for_whoever_opens_it_next(opened):
    with closing(opened.apart()) as first:
        first.holds.add(HOLD)
        assert first.holds.keep(READ, b"sealed twice")
    again = opened()
    assert again.holds.holds() == [HOLD]
    assert again.holds.reads(HOLD.id) == [READ]
    assert again.holds.sealed(READ) == b"sealed twice"
    assert again.holds.reads("cd" * 16) == []


def test_a_hold_that_comes_again_keeps_all_but_its_record(store):
    store.holds.add(HOLD)
    store.holds.add(replace(HOLD, record=b"signed by two", own_half="age1new", by="another"))
    assert store.holds.holds() == [replace(HOLD, record=b"signed by two")]


def test_one_of_several_holds_a_read_and_none_for_a_hold_that_is_unknown(store):
    assert not store.holds.keep(READ, b"first")
    store.holds.add(HOLD)
    assert store.holds.keep(READ, b"first")
    assert not store.holds.keep(replace(READ, by="another"), b"second")
    assert store.holds.sealed(READ) == b"first"
    assert store.holds.reads(HOLD.id) == [READ]


def test_at_its_end_what_is_held_goes_and_nothing_is_added(store):
    other = replace(HOLD, id="ef" * 16, at=CAPTURED + DAY)
    for one in (HOLD, other):
        store.holds.add(one)
        assert store.holds.keep(replace(READ, hold=one.id), b"sealed")
    store.holds.end(HOLD.id, CAPTURED + 2 * DAY, "pd")
    store.holds.end(HOLD.id, CAPTURED + 3 * DAY, "another")
    ended = replace(HOLD, ended_at=CAPTURED + 2 * DAY, ended_by="pd")
    assert store.holds.holds() == [ended, other]
    assert store.holds.reads(HOLD.id) == []
    assert not store.holds.keep(READ, b"again")
    with pytest.raises(StorageError, match="held no longer"):
        store.holds.sealed(READ)
    assert len(store.holds.reads(other.id)) == 1
    store.holds.told(HOLD.id)
    assert store.holds.holds() == [replace(ended, told=True), other]


def test_a_read_that_could_not_be_sealed_anew_says_why(store):
    store.holds.add(HOLD)
    refused = replace(READ, refused="key-destroyed")
    assert store.holds.keep(refused, b"")
    assert store.holds.reads(HOLD.id) == [refused]


def test_what_is_held_outlives_its_read(store, sealer):
    read: SealedRead = sealed(sealer)
    add(store, read)
    store.holds.add(HOLD)
    held = replace(READ, read_id=read.tags.read_id)
    store.holds.keep(held, b"sealed")
    assert store.delete_due(read.tags.deadline) == 1
    assert store.holds.sealed(held) == b"sealed"


def test_the_spared_stay_at_their_deadline_and_the_others_go(store, sealer):
    first, second = sealed(sealer, 1), sealed(sealer, 2)
    add(store, first, second)
    assert store.delete_due(first.tags.deadline, {name(first)}) == 1
    assert [row.name for row in store.reads()] == [name(first)]
    assert store.delete_due(first.tags.deadline) == 1
